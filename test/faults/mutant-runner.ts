/** Runs each mutant's fault on a patched copy of the build, two at a time, and says which it has caught. */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Command } from 'commander'
import { serverBinary, withoutServer } from '../../bench/servers/binary.js'
import { root } from './writer-process.js'

export interface Mutant {
  name: string
  /** Below dist/src. */
  file: string
  find: string
  replace: string
  fault: string
  scale: number
  /** An endless loop is what it is caught by; anywhere else, not to end in time has proved nothing. */
  mayHang?: true
  needsRoot?: true
  /** Left out where there is no NATS server to start. */
  needsServers?: true
}

type Verdict = { kind: 'killed'; how: string } | { kind: 'LIVES' } | { kind: 'COULD NOT RUN' | 'BROKEN'; why: string }

const limitMs = 480_000
/** Enough for every way of a fault to be tried. */
const healthyScale = 0.1

/** Sets the exit code: 0 if every mutant that was chosen was killed. */
export async function runMutants(mutants: readonly Mutant[]): Promise<void> {
  const options = new Command('mutants')
    .option('--only <name...>', 'these only')
    .option('--fit', 'run none: say only which no longer find their place in the build')
    .parse()
    .opts<{ only?: string[]; fit?: true }>()
  if (options.fit) return checkFit(mutants)
  const isRoot = process.getuid?.() === 0
  const chosen = mutants.filter(
    ({ name, fault, needsRoot, needsServers }) =>
      (isRoot || needsRoot === undefined) &&
      (serverBinary !== undefined || needsServers === undefined) &&
      (options.only === undefined || options.only.some((text) => name.includes(text) || fault === text)),
  )
  if (!isRoot) console.log('without root, mutants of the faults that need it are not run')
  if (serverBinary === undefined) console.log(`mutants of JetStream are not run: ${withoutServer}`)
  const verdicts: Verdict[] = []
  let next = 0
  const lane = async () => {
    for (let mutant = chosen[next++]; mutant !== undefined; mutant = chosen[next++]) {
      const start = performance.now()
      const verdict = await judge(mutant).catch((error: Error): Verdict => ({ kind: 'BROKEN', why: error.message }))
      const seconds = ((performance.now() - start) / 1000).toFixed(0)
      const because =
        verdict.kind === 'killed' ? `: ${verdict.how}` : verdict.kind === 'LIVES' ? '' : `: ${verdict.why}`
      console.log(`${verdict.kind} ${mutant.name} (${mutant.fault}, ${seconds} s)${because}`)
      verdicts.push(verdict)
    }
  }
  await Promise.all([lane(), lane()])
  const count = (kind: Verdict['kind']) => verdicts.filter((verdict) => verdict.kind === kind).length
  const notRun = count('COULD NOT RUN')
  console.log(
    `mutants killed: ${count('killed')} of ${chosen.length}${notRun === 0 ? '' : `, ${notRun} could not run`}`,
  )
  process.exitCode = count('killed') === chosen.length && chosen.length > 0 ? 0 : 1
}

/** A mutant that a change to the product has left behind proves nothing until somebody runs it: this takes no time, so CI does it. */
function checkFit(mutants: readonly Mutant[]): void {
  const misfits = mutants.flatMap((mutant) => {
    try {
      patchedText(root, mutant)
      return []
    } catch (error) {
      return [`${mutant.name}: ${(error as Error).message}`]
    }
  })
  for (const misfit of misfits) console.log(misfit)
  console.log(`mutants that fit the build: ${mutants.length - misfits.length} of ${mutants.length}`)
  process.exitCode = misfits.length === 0 ? 0 : 1
}

async function judge(mutant: Mutant): Promise<Verdict> {
  // A fault that fails on the product as it is has caught nothing, whatever it says of a mutant.
  const why = await whyNot(mutant.fault, Math.min(healthyScale, mutant.scale))
  if (why !== undefined) return { kind: 'COULD NOT RUN', why }
  const copy = mkdtempSync(path.join(os.tmpdir(), 'bookend-mutant-'))
  try {
    patch(copy, mutant)
    const { status, isLate, output } = await runFault(copy, mutant.fault, mutant.scale)
    if (isLate && mutant.mayHang) return { kind: 'killed', how: 'hangs' }
    if (isLate) throw new Error(`did not end in ${limitMs / 1000} s: look at it, or give it more time`)
    if (status === 0) return { kind: 'LIVES' }
    const how = failureIn(output)
    if (how === undefined) throw new Error(`no verdict, exit status ${status}: ${output.slice(-300)}`)
    return { kind: 'killed', how }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

const tried = new Map<string, Promise<string | undefined>>()

/** Why a fault cannot run on this machine: a tool is missing, its preparation fails. Tried once, on the product as it is. */
function whyNot(fault: string, scale: number): Promise<string | undefined> {
  const name = `${fault} ${scale}`
  const known = tried.get(name)
  if (known !== undefined) return known
  const trying = runFault(root, fault, scale).then(({ status, isLate, output }) => {
    if (status === 0) return undefined
    if (isLate) return `did not end in ${limitMs / 1000} s on the product as it is`
    const row = output.split('\n').find((line) => line.includes('NOT RUN'))
    return failureIn(output) ?? row ?? `exit status ${status}: ${output.slice(-300)}`
  })
  tried.set(name, trying)
  return trying
}

function failureIn(output: string): string | undefined {
  return output
    .split('\n')
    .find((line) => line.startsWith('FAILED '))
    ?.slice(7, 160)
}

/** A copy of the build with the patch in it. */
function patch(copy: string, mutant: Mutant): void {
  // Threads would load their own copies of what is patched.
  if (existsSync(path.join(root, 'dist/src/chunks')))
    throw new Error(
      'the build is rolled up into a few files, and mutants are patches of modules: npm run faults:mutants',
    )
  mkdirSync(path.join(copy, 'dist'))
  for (const folder of ['src', 'workers', 'test', 'bench']) {
    cpSync(path.join(root, 'dist', folder), path.join(copy, 'dist', folder), { recursive: true })
  }
  cpSync(path.join(root, 'package.json'), path.join(copy, 'package.json'))
  cpSync(path.join(root, 'test'), path.join(copy, 'test'), { recursive: true })
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'))
  writeFileSync(path.join(copy, 'dist/src', mutant.file), patchedText(copy, mutant))
}

/** @throws if the patch does not fit exactly one place of its file, or there is no such file */
function patchedText(build: string, { file, find, replace }: Mutant): string {
  const parts = readFileSync(path.join(build, 'dist/src', file), 'utf8').split(find)
  if (parts.length !== 2) throw new Error(`the patch fits ${parts.length - 1} places of ${file}, not one: mend it`)
  return parts.join(replace)
}

/** @param build with `dist/` in it */
async function runFault(
  build: string,
  fault: string,
  scale: number,
): Promise<{ status: number | null; isLate: boolean; output: string }> {
  const args = ['--only', fault, '--seed', '1', '--scale', String(scale), '--first-failure']
  const main = path.join(build, 'dist/test/faults/main.js')
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    // The runner, which no mutant is in, ends what hangs with all that it has started.
    child.kill('SIGTERM')
  }, limitMs)
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  return { status, isLate, output }
}
