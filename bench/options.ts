import os from 'node:os'
import { Command, InvalidArgumentError, Option } from 'commander'
import { type CaseName, caseNames, longCaseNames, standardCaseNames } from './cases/catalogue.js'
import { type ContenderName, peerNames } from './contenders/catalogue.js'

/** What a run does, with every default filled in. */
export interface BenchOptions {
  readonly cases: readonly CaseName[]
  readonly sizes: readonly number[]
  readonly contenders: readonly ContenderName[]
  readonly rounds: number
  /** Messages per case; undefined: as many as make `dataMib` of payload. */
  readonly messages: number | undefined
  readonly dataMib: number
  /** Size of the logs of the long cases; undefined: the size their figure is stated for. */
  readonly gigabytes: number | undefined
  readonly mapTtlMs: number
  readonly directory: string
  readonly json: string | undefined
  readonly isSmoke: boolean
  readonly mayInstall: boolean
  readonly segmentBytes: number | undefined
}

interface RawOptions {
  only?: CaseName[]
  sizes: number[]
  peers: ContenderName[]
  product: boolean
  rounds: number
  messages?: number
  mib: number
  gb?: number
  mapTtl: number
  dir: string
  json?: string
  smoke: boolean
  install: boolean
}

const smokeMessages = 2000
const smokeGigabytes = 0.004
const smokeMapTtlMs = 500
/** The smallest that the product takes: a few thousand messages already fill several files. */
const smokeSegmentBytes = 1024 * 1024

/** Reads the command line. Commander prints help and mistakes itself. */
export function parseOptions(argv: readonly string[]): BenchOptions {
  const command = new Command('bench')
    .description('Measures Bookend against a bare loop, buffered writes, lmdb-js and better-sqlite3, in one run.')
    .addOption(
      new Option(
        '--only <cases>',
        `cases, of: ${caseNames.join(', ')}; the long ones (${longCaseNames.join(', ')}) run only if named`,
      ).argParser(list(caseNames)),
    )
    .addOption(new Option('--sizes <bytes>', 'message sizes').argParser(parseSizes).default([100, 1024, 16384]))
    .addOption(
      new Option('--peers <names>', `of: ${peerNames.join(', ')}`).argParser(list(peerNames)).default(peerNames),
    )
    .option('--no-product', 'leave Bookend itself out')
    .option('--rounds <n>', 'rounds, in each of which everybody runs once', positive, 5)
    .option('--messages <n>', 'messages per case, instead of --mib', positive)
    .option('--mib <n>', 'payload per case', positive, 512)
    .option('--gb <n>', 'payload of the long cases (default: what their figure is stated for, 4 or 10)', positiveNumber)
    .option('--map-ttl <ms>', 'mapTtlMs in idle-memory', positive, 30_000)
    .option('--dir <path>', 'where the data goes; a directory of its own is made there and removed', os.tmpdir())
    .option('--json <file>', 'write every single figure there')
    .option('--smoke', 'everything tiny: proves that the benchmarks run, asserts no figure', false)
    .option('--no-install', 'do not install peers that are missing')
  const raw = command.parse(argv, { from: 'user' }).opts<RawOptions>()
  const isSmoke = raw.smoke
  return {
    cases: raw.only ?? (isSmoke ? caseNames : standardCaseNames),
    sizes: isSmoke ? raw.sizes.slice(0, 1) : raw.sizes,
    contenders: [...(raw.product ? (['bookend'] as const) : []), ...withBareForms(raw.peers)],
    rounds: isSmoke ? 1 : raw.rounds,
    messages: isSmoke ? smokeMessages : raw.messages,
    dataMib: raw.mib,
    gigabytes: isSmoke ? smokeGigabytes : raw.gb,
    mapTtlMs: isSmoke ? smokeMapTtlMs : raw.mapTtl,
    directory: raw.dir,
    json: raw.json,
    isSmoke,
    mayInstall: raw.install && !isSmoke,
    segmentBytes: isSmoke ? smokeSegmentBytes : undefined,
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
