import { monotonicUs } from './due-time.js'
import type { Figures } from './job.js'

/** What a stretch of work cost the whole process, all its threads together. */
export class Resources {
  readonly #start = process.resourceUsage()
  readonly #startMs = performance.now()

  /** Since this object was made. @param messages what the cost is shared among */
  since(messages: number): Figures {
    const seconds = (performance.now() - this.#startMs) / 1000
    const now = process.resourceUsage()
    const start = this.#start
    const userCpuMs = (now.userCPUTime - start.userCPUTime) / 1000
    const systemCpuMs = (now.systemCPUTime - start.systemCPUTime) / 1000
    return {
      seconds,
      userCpuMs,
      systemCpuMs,
      cpuNsPerMessage: ((userCpuMs + systemCpuMs) * 1e6) / Math.max(1, messages),
      voluntarySwitches: now.voluntaryContextSwitches - start.voluntaryContextSwitches,
      involuntarySwitches: now.involuntaryContextSwitches - start.involuntaryContextSwitches,
      minorFaults: now.minorPageFault - start.minorPageFault,
      majorFaults: now.majorPageFault - start.majorPageFault,
      // Kilobytes, and of the process's whole life: there is no way to begin anew.
      maxRssBytes: now.maxRSS * 1024,
    }
  }
}

/** Times work on messages, with what it cost. */
export async function measured(messages: number, messageBytes: number, work: () => Promise<unknown>): Promise<Figures> {
  const resources = new Resources()
  const fromUs = monotonicUs()
  await work()
  const toUs = monotonicUs()
  const cost = resources.since(messages)
  const seconds = cost.seconds!
  const bytes = messages * messageBytes
  return {
    messages,
    bytes,
    messagesPerSecond: messages / seconds,
    bytesPerSecond: bytes / seconds,
    fromUs,
    toUs,
    ...cost,
  }
}
