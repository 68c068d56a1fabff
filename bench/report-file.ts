import type { BenchCase } from './cases/bench-case.js'
import { benchCases } from './cases/catalogue.js'
import type { Movement } from './compare.js'
import type { Machine } from './machine.js'
import type { Series } from './results.js'
import type { StageReport } from './stages.js'
import type { Target } from './targets.js'

export const reportFormat = 2

/** What a run was told to do, as far as its figures depend on it. */
export interface SetUp {
  readonly isFull: boolean
  readonly isSmoke: boolean
  /** Fewer messages than the cases need to say something about speed. */
  readonly isCut: boolean
  readonly rounds: number
  readonly sizes: readonly number[]
  readonly dataBytes: number
  readonly directory: string
}

export interface ReportHead {
  readonly format: typeof reportFormat
  readonly machine: Machine
  readonly setUp: SetUp
  /** By contender: how it was set up, its version, or why it took no part. */
  readonly settings: Readonly<Record<string, string>>
  readonly versions: Readonly<Record<string, string>>
  readonly missing: Readonly<Record<string, string>>
}

/** Everything that is known of a run: the content of `--json`. */
export interface BenchReport extends ReportHead {
  readonly series: readonly Series[]
  readonly stages: readonly StageReport[]
  readonly targets: readonly Target[]
  readonly moved: readonly Movement[]
  /** Workloads from outside, as far as a report is about them. */
  readonly workloads?: readonly ReportedCase[]
}

/** A case as it is shown: without what runs it. */
export type ReportedCase = Omit<BenchCase, 'points' | 'fill'>

/** Every case that the report may have figures of, in order. */
export function casesOf({ workloads = [] }: Pick<BenchReport, 'workloads'>): ReportedCase[] {
  return [...benchCases, ...workloads]
}

/** @throws Error that names the file, for what is not a report or of another format */
export function parseReport(text: string, path: string): BenchReport {
  let report: Partial<BenchReport>
  try {
    report = JSON.parse(text) as Partial<BenchReport>
  } catch (cause) {
    throw new Error(`${path} is no JSON`, { cause })
  }
  if (report.format !== reportFormat || !Array.isArray(report.series)) {
    throw new Error(`${path} is no report of this benchmark (format ${report.format}, wanted ${reportFormat})`)
  }
  return report as BenchReport
}
