import type { Figures, Job } from './job.js'

/** Messages that go before at the rate of a case that goes by the clock: a tenth of what is measured, or a warm-up's time if that is more. */
export function pacedWarmupMessages({ seconds, warmupSeconds, ratePerSecond }: Job): number {
  return Math.ceil(Math.max(seconds / 10, warmupSeconds) * ratePerSecond)
}

/**
 * Does the work that is about to be measured again and again until it has gone on for `warmupSeconds`, at least once: the
 * same for everybody. Caches fill, and code that is compiled as it runs reaches its stride, which takes most of a second;
 * the peers are native, and start with theirs.
 *
 * @param messages of one pass
 * @returns what the very first pass gave, so that the start of a process is not hidden
 */
export async function warmUp(
  { warmupSeconds }: Pick<Job, 'warmupSeconds'>,
  messages: number,
  pass: () => Promise<unknown>,
): Promise<Figures> {
  const start = performance.now()
  const elapsedSeconds = () => (performance.now() - start) / 1000
  await pass()
  const firstSeconds = elapsedSeconds()
  while (elapsedSeconds() < warmupSeconds) await pass()
  return { firstMessagesPerSecond: messages / firstSeconds }
}
