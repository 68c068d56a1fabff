/** Taking a log back that could not be made: nothing was ever appended to it, and what is left would pin its segment size. */
import path from 'node:path'
import { ControlFile } from '../files/control-file.js'
import type { Disk } from '../files/disk.js'

/**
 * For a directory that held no log when its owner began to make one. The segments first: without a control file they would
 * pass for a log that has lost it. Never throws: what cannot be removed now is an empty log.
 */
export function discardNewLog(disk: Disk, directory: string): void {
  const folder = path.join(directory, 'log')
  try {
    for (const name of disk.list(folder)) if (/\.seg(\.new)?$/.test(name)) disk.remove(path.join(folder, name))
    const control = ControlFile.path(directory)
    const names = disk.list(directory)
    for (const file of [control, `${control}.new`]) if (names.includes(path.basename(file))) disk.remove(file)
    if (names.includes('log')) disk.removeDirectory(folder)
    disk.syncDirectory(directory)
  } catch {
    // The failure that led here is the one to be heard of.
  }
}
