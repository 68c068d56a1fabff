/**
 * The logs open in this process, so that one `exit` handler can hand over what they hold: listeners of their own
 * would add up to a warning.
 */
interface ExitListener {
  /** Must not throw and must not take long. */
  onExit(): void
}

const openLogs = new Set<ExitListener>()

function flushAll(): void {
  for (const log of openLogs) log.onExit()
}

export function enlist(log: ExitListener): void {
  if (openLogs.size === 0) process.on('exit', flushAll)
  openLogs.add(log)
}

export function withdraw(log: ExitListener): void {
  openLogs.delete(log)
  if (openLogs.size === 0) process.off('exit', flushAll)
}
