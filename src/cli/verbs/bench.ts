import { fileURLToPath } from 'node:url'
import { exitStatus, Failure } from '../failure.js'
import type { Verb } from '../verb.js'

interface Bench {
  runBench(argv: readonly string[]): Promise<number>
}

/** Not part of the library: loaded by whoever asks for it, by path. */
const module = new URL('../../../bench/bench.js', import.meta.url)

export const bench: Verb = {
  name: 'bench',
  summary: 'measure Bookend, its peers and the limits of the machine',
  description: 'Runs the benchmark; bench --help shows its options.',
  examples: '',

  // Everything behind the name is the benchmark's own, --help too.
  define: (command) => command.argument('[options...]').helpOption(false).allowUnknownOption().passThroughOptions(),

  async run(args) {
    const { runBench } = await load()
    return runBench(args)
  },
}

async function load(): Promise<Bench> {
  try {
    return (await import(module.href)) as Bench
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes(fileURLToPath(module))) throw error
    const text = `the benchmark is not built (${fileURLToPath(module)} is missing): npm run build:bench`
    throw new Failure(text, exitStatus.failed)
  }
}
