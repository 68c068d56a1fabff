import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Unavailable } from './contenders/contender.js'
import type { Answer, Job, Outcome } from './job.js'
import { MemoryGroup } from './memory-group.js'

const childModule = new URL('./child.js', import.meta.url)
const jobTimeoutMs = 30 * 60_000
/** As much of a dead child's last words as fits a report. */
const keptErrorCharacters = 2000

/** Runs one job in a fresh process, so that neither heap nor compiled code leaks from one measurement to the next. */
export async function runJob(job: Job, execArgv: readonly string[] = []): Promise<Outcome> {
  const group = groupFor(job)
  const { child, answer } = start(job, execArgv, group)
  try {
    return await answer
  } finally {
    await end(child)
    await group?.remove()
  }
}

function groupFor({ memoryBytes }: Job): MemoryGroup | undefined {
  if (memoryBytes === undefined) return undefined
  const group = MemoryGroup.create(memoryBytes)
  if (group === undefined) throw new Unavailable('memory cannot be limited here: needs root and a memory control group')
  return group
}

/** Runs a job up to its answer and then kills it with SIGKILL, as a crash would. */
export async function runJobAndKill(job: Job): Promise<Outcome> {
  const { child, answer } = start(job, [])
  const figures = await answer.catch(async (error: unknown) => {
    await end(child)
    throw error
  })
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return figures
}

function start(
  job: Job,
  execArgv: readonly string[],
  group?: MemoryGroup,
): { child: ChildProcess; answer: Promise<Outcome> } {
  const child = fork(childModule, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [...execArgv] })
  let lastWords = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-keptErrorCharacters)
  })
  const answer = new Promise<Outcome>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer after ${jobTimeoutMs / 60_000} minutes`)), jobTimeoutMs)
    child.once('message', (message: Answer) => {
      clearTimeout(timer)
      if ('figures' in message) resolve(message)
      else if ('unavailable' in message) reject(new Unavailable(message.unavailable))
      else reject(new Error(message.failure))
    })
    child.once('error', reject)
    // 'close' and not 'exit': only then has everything on stderr been read. Without effect once the answer is there.
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      reject(new Error(`the process ended with ${signal ?? `code ${code}`} before it answered. ${lastWords.trim()}`))
    })
  })
  // Before the job is: what it uses counts from its first byte.
  if (child.pid !== undefined) group?.add(child.pid)
  child.send(job)
  return { child, answer }
}

/** Lets a child that has answered exit by itself; one that failed to answer is ended. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const graceMs = 5000
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await once(child, 'exit')
  clearTimeout(timer)
}
