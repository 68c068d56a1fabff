const grouped = new Intl.NumberFormat('en-US')

/** A whole number with thousands separators. */
export function whole(value: number): string {
  return grouped.format(Math.round(value))
}

/** A number with a fixed count of decimals, and thousands separators. */
export function fixed(value: number, decimals: number): string {
  return new Intl.NumberFormat('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(
    value,
  )
}

/** Bytes as megabytes (of 1,000,000 bytes) without the unit, for columns. */
export function megabytes(bytes: number): string {
  return fixed(bytes / 1e6, 2)
}

/** A count with its noun. */
export function plural(count: number, noun: string): string {
  return `${whole(count)} ${noun}${count === 1 ? '' : 's'}`
}
