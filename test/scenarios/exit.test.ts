import { expect, it } from 'vitest'
import { isPayload } from '../fixtures/payload.mjs'
import { collect, openLog, start, temporaryFolder } from './support.js'

async function found(directory: string): Promise<number> {
  const log = await openLog(directory)
  const messages = await collect(log.topic('t').read())
  for (const { offset, value } of messages) expect(isPayload(offset, value)).toBe(true)
  await log.close()
  return messages.length
}

const cases: [string, string, number | null, string | null][] = [
  ['process.exit() right after offers and waiting appends loses nothing', 'exit-after-offers', 0, null],
  [
    'flushSync in an exit handler makes offers safe even from the kill that follows',
    'flush-sync-then-kill',
    null,
    'SIGKILL',
  ],
  ['a process that dies of an uncaught error loses no offer', 'throw', 1, null],
  ['a process that comes to its end right after offers loses none', 'end-after-offers', 0, null],
  ['an open idle log does not keep the process running', 'idle', 0, null],
  ['with keepAlive an open log keeps the process running until it is closed', 'keep-alive', 0, null],
  ['the process stays while appends, flushes, scans and trims are awaited', 'awaits-appends', 0, null],
]
for (const [sentence, how, status, signal] of cases) {
  it(sentence, async () => {
    const directory = temporaryFolder()
    const ended = await start('exits.mjs', [how, directory]).ended
    expect({ status: ended.status, signal: ended.signal }, ended.errors).toEqual({ status, signal })
    if (how !== 'throw') expect(ended.errors).toBe('')
    const promised = Number(ended.output.trim().split('\n').at(-1))
    expect(promised).toBeGreaterThan(0)
    expect(await found(directory)).toBe(promised)
  })
}

it('the process stays while a follower waits, and close ends the wait', async () => {
  const directory = temporaryFolder()
  const program = start('exits.mjs', ['awaits-follow', directory])
  await program.says('following')
  // Time enough to end by itself, if it would.
  await new Promise((resolve) => setTimeout(resolve, 700))
  expect(program.process.exitCode).toBeNull()
  program.process.kill('SIGTERM')
  const { status, output } = await program.ended
  expect(status).toBe(0)
  expect(output).toContain('BOOKEND_CLOSED')
})
