/**
 * The logs open in this process, so that one `exit` handler can hand over what they hold: listeners of their own
 * would add up to a warning.
 */
interface OpenLog {
  /** Must not throw and must not take long. */
  onExit(): void
}

const openLogs = new Set<OpenLog>()

function flushAll(): void {
  for (const log of openLogs) log.onExit()
}

export function enlist(log: OpenLog): void {
  if (openLogs.size === 0) process.on('exit', flushAll)
  openLogs.add(log)
}

export function withdraw(log: OpenLog): void {
  openLogs.delete(log)
  if (openLogs.size === 0) process.off('exit', flushAll)
}
