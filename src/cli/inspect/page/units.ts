/** Numbers and times as people read them. */

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

export function bytes(count: number): string {
  let value = count
  let unit = 0
  for (; value >= 1024 && unit < byteUnits.length - 1; unit++) value /= 1024
  return `${unit === 0 ? Math.round(value) : value.toFixed(value < 100 ? 1 : 0)} ${byteUnits[unit]}`
}

export function whole(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}

/** Three digits that count: 0.4, 12.3, 4,560, 12.3 M. */
export function rate(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toPrecision(3)} M`
  if (perSecond >= 100 || perSecond === 0) return whole(perSecond)
  return String(Number(perSecond.toPrecision(2)))
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${whole(count)} ${count === 1 ? one : many}`
}

/** Local, to the millisecond. */
export function time(ms: number): string {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, 23).replace('T', ' ')
}

const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** Text that somebody has sent, its lines kept: what could hide or reorder a part of it is shown as `\uXXXX`. */
export function visible(text: string): string {
  return text.replaceAll(hidden, (found) =>
    found === '\n' || found === '\t'
      ? found
      : Array.from(
          { length: found.length },
          (_, unit) => `\\u${found.charCodeAt(unit).toString(16).padStart(4, '0')}`,
        ).join(''),
  )
}
