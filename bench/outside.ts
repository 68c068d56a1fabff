/**
 * Contenders and workloads of somebody else, out of modules that the command line names. What such a module exports is `Contender` or
 * `Workload`; docs/own-benchmarks.md is its page.
 */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { BenchCase } from './cases/bench-case.js'
import { benchCases } from './cases/catalogue.js'
import { contenderNames } from './contenders/catalogue.js'
import type { QueueStore, Store, StoreOptions } from './contenders/contender.js'
import type { Figures } from './job.js'

/** What a module for `--contender` exports. */
export interface Contender {
  /** As it stands in tables: lower-case letters, digits and hyphens, and nobody else's. */
  readonly name: string
  /** How it is set up, in a sentence: printed with every report, since a ratio means little without it. */
  readonly about: string
  /** The cases that it takes part in, of `bookend bench --help`: those whose calls its store has. */
  readonly cases: readonly string[]
  /** Needed for all cases but those of queues. */
  openStore?(options: StoreOptions): Promise<Store> | Store
  /** Needed for the cases `queue` and `queue-backlog`. */
  openQueue?(options: StoreOptions): Promise<QueueStore> | QueueStore
}

/** What a module for `--workload` exports. */
export interface Workload {
  /** As it stands in tables: lower-case letters, digits and hyphens, and no other case's. */
  readonly name: string
  /** In a few words, for people. */
  readonly title: string
  /** The figure of {@link run} that stands for it. The end of its name is its unit: `PerSecond`, `Us`, `Ms`, `Bytes`, or none. */
  readonly headline: string
  /** Whether more of it is better, or less. */
  readonly better: 'more' | 'less'
  /** Who takes part; contenders from outside name it in their `cases`. `bookend` alone unless said. */
  readonly contenders?: readonly string[]
  /** Messages of a round; as many as fill the payload of the run unless said. */
  readonly messages?: number
  /**
   * Does the work once, and times it, in a process of its own with a new store.
   * @returns figures by name, {@link headline} among them
   */
  run(store: Store, work: { readonly messages: number; readonly messageBytes: number }): Promise<Figures> | Figures
}

/** Who and what came from outside, with where it is. */
export interface Outside {
  readonly contenders: readonly (Contender & { readonly url: string })[]
  readonly workloads: readonly (Workload & { readonly url: string })[]
}

const namePattern = /^[a-z][a-z0-9-]{0,30}$/
const workloadBytes = 100

/** @throws Error that names the file and says what it lacks, before anything is measured */
export async function loadOutside(contenders: readonly string[], workloads: readonly string[]): Promise<Outside> {
  const taken = new Set<string>(contenderNames)
  const named = new Set(benchCases.map(({ name }) => name))
  const loaded: Outside = {
    contenders: await loadAll<Contender>(contenders, taken),
    workloads: await loadAll<Workload>(workloads, named),
  }
  for (const { url, about, cases, openStore, openQueue } of loaded.contenders) {
    if (typeof about !== 'string') throw lacking(url, 'about: a sentence that says how it is set up')
    if (!Array.isArray(cases) || cases.length === 0) throw lacking(url, 'cases: names of cases that it takes part in')
    const unknown = cases.find((name) => !named.has(name))
    if (unknown !== undefined) throw new Error(`${url} takes part in ${unknown}, which is no case of this benchmark`)
    if (openStore === undefined && openQueue === undefined) throw lacking(url, 'openStore or openQueue')
  }
  for (const { url, title, headline, better, run } of loaded.workloads) {
    if (typeof title !== 'string' || typeof headline !== 'string') throw lacking(url, 'title and headline')
    if (better !== 'more' && better !== 'less') throw lacking(url, "better: 'more' or 'less'")
    if (typeof run !== 'function') throw lacking(url, 'run(store, work)')
  }
  return loaded
}

async function loadAll<T extends { name: string }>(paths: readonly string[], taken: Set<string>) {
  const all: (T & { url: string })[] = []
  for (const given of paths) {
    const url = pathToFileURL(path.resolve(given)).href
    const module = (await import(url)) as T
    if (typeof module.name !== 'string' || !namePattern.test(module.name))
      throw lacking(url, 'name: lower-case letters, digits and hyphens')
    if (taken.has(module.name)) throw new Error(`${url} is named ${module.name}, and so is another one`)
    taken.add(module.name)
    // A module is not to be spread: what it exports may be made when it is asked for. Nor is anything assigned to what inherits from one: defined.
    all.push(Object.create(module, { url: { value: url, enumerable: true } }))
  }
  return all
}

function lacking(url: string, what: string): Error {
  return new Error(`${url} does not export ${what}; see docs/own-benchmarks.md`)
}

/** A workload among the cases. */
export function caseOf({ name, title, headline, better, contenders = ['bookend'], messages }: Workload): BenchCase {
  return {
    ...{ name, title, headline, better },
    section: 'Your own',
    kind: 'workload',
    contenders: contenders as BenchCase['contenders'],
    points: (scale) => [
      {
        messageBytes: workloadBytes,
        parameter: 0,
        messages: scale.messages ?? messages ?? Math.ceil(scale.dataBytes / workloadBytes),
      },
    ],
  }
}

/** In the process that measures. */
export async function openOutsideStore(module: string, options: StoreOptions): Promise<Store> {
  return await ((await import(module)) as Contender).openStore!(options)
}

export async function openOutsideQueue(module: string, options: StoreOptions): Promise<QueueStore> {
  return await ((await import(module)) as Contender).openQueue!(options)
}

export async function runWorkload(module: string, store: Store, messages: number, messageBytes: number) {
  const { run, headline } = (await import(module)) as Workload
  const figures = await run(store, { messages, messageBytes })
  if (typeof figures?.[headline] !== 'number') throw new Error(`run() returned no number ${headline}`)
  return figures
}
