/** What tells a file from every other that has its name before or after. */
import fs from 'node:fs'

/** Of an open file. */
export function fileIdentity(descriptor: number): string {
  return identityOf(fs.fstatSync(descriptor, { bigint: true }))
}

/** Of the file that has the name now; undefined: there is none. As long as somebody has a file open or mapped, no other one has its identity. */
export function identityAt(path: string): string | undefined {
  const found = fs.lstatSync(path, { bigint: true, throwIfNoEntry: false })
  return found && identityOf(found)
}

function identityOf({ dev, ino }: fs.BigIntStats): string {
  return `${dev}:${ino}`
}
