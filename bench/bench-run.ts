import type { ContenderName } from './contenders/catalogue.js'
import type { BenchOptions } from './options.js'
import type { Outside } from './outside.js'
import type { Results } from './results.js'
import type { Workspace } from './workspace.js'

/** What every part of a run shares. */
export interface BenchRun {
  readonly options: BenchOptions
  readonly results: Results
  readonly workspace: Workspace
  /** Those that can run here. */
  readonly contenders: readonly ContenderName[]
  readonly outside: Outside
  /** Where a peer from the registry is installed; empty for the others. */
  packageDirectoryOf(contender: ContenderName): string
  progress(line: string): void
  /** So many of the planned jobs are over. */
  noteJob(count?: number): void
}
