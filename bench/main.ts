/** `npm run bench`, and what `bookend bench` calls: see docs/benchmarks.md for what it measures and how. */
import { runBench } from './bench.js'

process.exitCode = await runBench(process.argv.slice(2))
