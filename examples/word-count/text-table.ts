/** One column of a table. */
export interface Column {
  readonly title: string
  readonly align: 'left' | 'right'
}

const GAP = '   '

/**
 * Lays out rows in aligned columns, without rules and without spaces at the ends of lines.
 *
 * @param columns titles and sides
 * @param rows as many cells each as there are columns
 * @returns the title line, then a line for each row
 */
export function layOut(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ title }, index) =>
    rows.reduce((width, row) => Math.max(width, row[index]!.length), title.length),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) =>
        columns[index]!.align === 'left' ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!),
      )
      .join(GAP)
      .trimEnd()
  return [line(columns.map(({ title }) => title)), ...rows.map(line)]
}

/** Shortens a text in front, where the less telling part of a path is. */
export function clipStart(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `...${text.slice(text.length - maxLength + 3)}`
}

/** Shortens a text at its end. */
export function clipEnd(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 3)}...`
}
