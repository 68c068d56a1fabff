export interface Column {
  title: string
  align?: 'right'
}

/** Columns two spaces apart, as wide as their widest cell; no spaces at the end of a line. */
export function textTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const cells = [columns.map(({ title }) => title), ...rows]
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => row[index].length)))
  return cells.map((row) =>
    row
      .map((cell, index) =>
        columns[index].align === 'right' ? cell.padStart(widths[index]) : cell.padEnd(widths[index]),
      )
      .join('  ')
      .trimEnd(),
  )
}
