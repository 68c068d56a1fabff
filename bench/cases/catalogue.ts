/** Every case: what runs, for whom, at which points, and which figure stands for it. */
import { appendCases } from './append-cases.js'
import type { BenchCase } from './bench-case.js'
import { conditionCases } from './condition-cases.js'
import { findingCases } from './finding-cases.js'
import { growthCases } from './growth-cases.js'
import { jobCases } from './job-cases.js'
import { readCases } from './read-cases.js'
import { restCases } from './rest-cases.js'
import { serverCases } from './server-cases.js'
import { sharedCases } from './shared-cases.js'
import { workCases } from './work-cases.js'

export const benchCases: readonly BenchCase[] = [
  ...appendCases,
  ...conditionCases,
  ...readCases,
  ...findingCases,
  ...growthCases,
  ...workCases,
  ...jobCases,
  ...sharedCases,
  ...serverCases,
  ...restCases,
]

/** Written and read once, gigabytes each, by the product alone: they run only if they are named. */
export const longCaseNames = ['cold-read', 'idle-memory'] as const
export type LongCaseName = (typeof longCaseNames)[number]

export const longCaseTitles: Readonly<Record<LongCaseName, string>> = {
  'cold-read': 'event loop delay during a read from a dropped page cache',
  'idle-memory': 'resident memory, idle for two TTLs',
}

/** Where the time of a message goes, by CPU profiles of every thread. */
export const stagesCaseName = 'stages'

/** Left out of a short run unless they are named. */
export const lengthyCaseNames: readonly string[] = benchCases.filter(({ isLong }) => isLong).map(({ name }) => name)

export const caseNames: readonly string[] = [...benchCases.map(({ name }) => name), stagesCaseName, ...longCaseNames]
