/**
 * The benchmark as a library: `bookend/bench`. Contenders and workloads from outside are modules with the shape of {@link Contender} and
 * {@link Workload}; docs/own-benchmarks.md has an example of each.
 * @module bookend/bench
 */
export { runBench } from './bench.js'
export {
  type Level,
  type QueueStore,
  type ReadCount,
  type Store,
  type StoreOptions,
  Unavailable,
  valueAt,
} from './contenders/contender.js'
export type { Figures } from './job.js'
export type { Contender, Workload } from './outside.js'
