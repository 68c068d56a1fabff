/** Being told by the system when a file is written to, or a folder changes: a hint, never more often than needed and sometimes not at all. */
import fs from 'node:fs'

export interface PathWatch {
  close(): void
}

/**
 * @param onChange called with each change; also once when nothing more will be heard
 * @returns the code of the error where that cannot be had: nothing there, or no watch left for this user
 */
export function watchPath(path: string, onChange: () => void): PathWatch | string {
  try {
    const watcher = fs.watch(path, { persistent: false }, onChange)
    watcher.on('error', () => {
      watcher.close()
      onChange()
    })
    return watcher
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}
