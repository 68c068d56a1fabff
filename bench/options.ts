import os from 'node:os'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Scale } from './cases/bench-case.js'
import { caseNames, lengthyCaseNames, longCaseNames } from './cases/catalogue.js'
import { type ContenderName, methodNames, peerNames } from './contenders/catalogue.js'

/** What a run does, with every default filled in. */
export interface BenchOptions {
  readonly cases: readonly string[]
  readonly contenders: readonly ContenderName[]
  readonly rounds: number
  readonly scale: Scale
  /** Size of the logs of the long cases; undefined: the size their figure is stated for. */
  readonly gigabytes: number | undefined
  readonly mapTtlMs: number
  readonly directory: string
  readonly json: string | undefined
  readonly html: string | undefined
  /** Results of an earlier run to hold these against. */
  readonly compare: string | undefined
  /** Nothing is measured: results of an earlier run are shown anew. */
  readonly from: string | undefined
  readonly isSmoke: boolean
  /** Peers to compare with; not in a smoke run, which takes those that are there. */
  readonly mayInstall: boolean
  /** What the benchmark itself cannot do without. */
  readonly mayInstallTools: boolean
  readonly segmentBytes: number | undefined
  /** Modules with contenders and workloads of somebody else. */
  readonly outside: { readonly contenders: readonly string[]; readonly workloads: readonly string[] }
}

interface RawOptions {
  only?: string[]
  full: boolean
  sizes?: number[]
  peers: ContenderName[]
  product: boolean
  rounds?: number
  messages?: number
  mib?: number
  gb?: number
  mapTtl: number
  dir: string
  json?: string
  html: string | boolean
  contender: string[]
  workload: string[]
  compare?: string
  from?: string
  smoke: boolean
  install: boolean
}

const mebibyte = 1024 * 1024
const defaultPage = 'bookend-bench.html'
/** About eight minutes. Every case has data for more than one segment. */
const quick = { sizes: [100, 1024], mib: 136, rounds: 2, seconds: 2, warmupSeconds: 1, backlogs: [10e6, 200e6] }
const full = {
  sizes: [16, 100, 1024, 16_384, 131_072, mebibyte],
  mib: 512,
  rounds: 5,
  seconds: 10,
  warmupSeconds: 1,
  backlogs: [1e6, 10e6, 100e6, 1e9, 10e9],
}
/** Proves that everything runs, in a minute. The smallest segments that the product takes, so that there are several. */
const smoke = {
  sizes: [100],
  mib: 1,
  messages: 2000,
  rounds: 1,
  seconds: 0.1,
  warmupSeconds: 0,
  backlogs: [2e6],
  gigabytes: 0.004,
  mapTtlMs: 500,
  segmentBytes: mebibyte,
}

/** Reads the command line. Commander prints help and mistakes itself, and ends the process. */
export function parseOptions(argv: readonly string[]): BenchOptions {
  const command = new Command('bench')
    .description('Measures Bookend, its peers and the limits of the machine, in one run.')
    .addOption(
      new Option(
        '--only <cases>',
        `cases, of: ${caseNames.join(', ')}; ${lengthyCaseNames.join(', ')} run with --full or if named, ${longCaseNames.join(', ')} only if named`,
      ).argParser(list(caseNames)),
    )
    .option('--full', 'everything, with more sizes, writers and rounds, and up to 10 GB of backlog: hours', false)
    .addOption(new Option('--sizes <bytes>', 'message sizes, of the cases that vary them').argParser(parseSizes))
    .addOption(
      new Option('--peers <names>', `of: ${peerNames.join(', ')}`).argParser(list(peerNames)).default(peerNames),
    )
    .option('--no-product', 'leave Bookend itself out')
    .option('--rounds <n>', 'rounds, in each of which everybody runs once', positive)
    .option('--messages <n>', 'messages per case, instead of --mib', positive)
    .option('--mib <n>', 'payload per case', positive)
    .option('--gb <n>', 'payload of the long cases (default: what their figure is stated for, 4 or 10)', positiveNumber)
    .option('--map-ttl <ms>', 'mapTtlMs in idle-memory', positive, 30_000)
    .option('--dir <path>', 'where the data goes; a directory of its own is made there and removed', os.tmpdir())
    .option('--json <file>', 'write every single figure there')
    .option(
      '--contender <module>',
      'somebody else takes part: see docs/own-benchmarks.md; may come several times',
      several,
      [],
    )
    .option('--workload <module>', "somebody else's case is run, too; may come several times", several, [])
    .option(
      '--html <file>',
      `write the page with plots there, which needs nothing else to be looked at (default: ${defaultPage})`,
      true,
    )
    .option('--no-html', 'write no page')
    .option('--compare <file>', 'mark what moved since the run that wrote this --json')
    .option('--from <file>', 'measure nothing: show what an earlier run wrote with --json')
    .option('--smoke', 'everything tiny: proves that the benchmarks run, asserts no figure', false)
    .option('--no-install', 'do not install peers that are missing')
  // Help is no failure; a mistake in the call is told apart from a benchmark that failed.
  command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  const raw = command.parse(argv, { from: 'user' }).opts<RawOptions>()
  const { smoke: isSmoke, full: isFull } = raw
  const defaults = isSmoke ? smoke : isFull ? full : quick
  const unusual: readonly string[] = [...longCaseNames, ...(isFull ? [] : lengthyCaseNames)]
  const usual = caseNames.filter((name) => isSmoke || !unusual.includes(name))
  return {
    // Who brings a case of his own wants to see that, unless he says more.
    cases: raw.only ?? (raw.workload.length > 0 ? [] : usual),
    contenders: [...(raw.product ? (['bookend'] as const) : []), ...withBareForms(raw.peers), ...methodNames],
    rounds: raw.rounds ?? defaults.rounds,
    scale: {
      isFull,
      sizes: raw.sizes ?? defaults.sizes,
      dataBytes: (raw.mib ?? defaults.mib) * mebibyte,
      messages: raw.messages ?? (isSmoke ? smoke.messages : undefined),
      seconds: defaults.seconds,
      warmupSeconds: defaults.warmupSeconds,
      backlogs: defaults.backlogs,
    },
    gigabytes: isSmoke ? smoke.gigabytes : raw.gb,
    mapTtlMs: isSmoke ? smoke.mapTtlMs : raw.mapTtl,
    directory: raw.dir,
    json: raw.json,
    // A page of a run that measures nothing would only look like one.
    html: typeof raw.html === 'string' ? raw.html : raw.html && !isSmoke ? defaultPage : undefined,
    compare: raw.compare,
    from: raw.from,
    isSmoke,
    mayInstall: raw.install && !isSmoke,
    mayInstallTools: raw.install,
    segmentBytes: isSmoke ? smoke.segmentBytes : undefined,
    outside: { contenders: raw.contender, workloads: raw.workload },
  }
}

/** The bare loop is run in both its forms, always: the faster one is the floor. */
function withBareForms(names: readonly ContenderName[]): ContenderName[] {
  return names.flatMap((name) => (name === 'bare' ? ['bare', 'bare-16k'] : [name]))
}

function list<T extends string>(allowed: readonly T[]): (text: string) => T[] {
  return (text) =>
    text.split(',').map((name) => {
      const known = allowed.find((candidate) => candidate === name.trim())
      if (known === undefined) throw new InvalidArgumentError(`${name} is none of: ${allowed.join(', ')}`)
      return known
    })
}

function several(text: string, before: readonly string[]): string[] {
  return [...before, text]
}

function parseSizes(text: string): number[] {
  return text.split(',').map(positive)
}

function positive(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value <= 0) throw new InvalidArgumentError('a whole number above 0')
  return value
}

function positiveNumber(text: string): number {
  const value = Number(text)
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError('a number above 0')
  return value
}
