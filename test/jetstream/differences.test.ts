/** What is otherwise than in a log in a directory, where no other test shows it: rows of docs/jetstream.md. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { text } from 'bookend'
import { expect, it, onTestFinished, vi } from 'vitest'
import { openJetStream } from '../../src/jetstream/jetstream-engine.js'
import { completeOptions } from '../../src/jetstream/options.js'
import { codedFailureOf, collect, until } from '../scenarios/support.js'
import { take } from '../support/words.js'
import { withServers } from './fixture.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** What a program with an open log says, and that it has ended. */
async function outputOf(url: string, name: string, program: string): Promise<string> {
  const code = `
    import { text } from 'bookend'
    import { open } from 'bookend/jetstream'
    const log = await open(${JSON.stringify(url)}, { name: ${JSON.stringify(name)}, replicas: 1 })
    ${program}`
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', code], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    output += part
  })
  await new Promise((resolve) => child.once('close', resolve))
  return output
}

withServers({}, ({ open, newName, servers }) => {
  it('an append that has resolved says nothing of earlier ones to other topics', async () => {
    const name = newName()
    const log = await open({ name })
    const engine = await openJetStream(completeOptions((await servers()).urls, { name, replicas: 1 }))
    onTestFinished(() => engine.close())
    const { stream } = engine.topic('broken')
    await stream.link.jsm.streams.add({ name: stream.name, subjects: [stream.subject] })
    const earlier = codedFailureOf(() => log.topic('broken', { codec: text }).append('a'))
    expect(await log.topic('whole', { codec: text }).append('b')).toBe(0)
    expect((await earlier).code).toBe('BOOKEND_FORMAT')
  })

  it('what was offered and not sent dies with the process', async () => {
    const name = newName()
    const [url] = (await servers()).urls
    const topic = `log.topic('t', { codec: text })`
    const program = `await ${topic}.append('a'); console.log(${topic}.offer('b')); process.exit()`
    expect(await outputOf(url, name, program)).toBe('true\n')
    expect(await (await open({ name })).topic('t').bounds()).toEqual({ first: 0, next: 1 })
  })

  it('the time of a message is that of the servers, whatever the clock here says', async () => {
    const topic = (await open()).topic('t', { codec: text })
    const before = Date.now()
    const clock = vi.spyOn(Date, 'now').mockReturnValue(0)
    onTestFinished(() => clock.mockRestore())
    await topic.append('a')
    // Both clocks are this machine's; a stream has nanoseconds, of which milliseconds are told.
    expect((await topic.get(0))?.timestamp).toBeGreaterThanOrEqual(before - 1)
  })

  it('what a process was given and has not taken is missing in peek and browse of others, and comes in the end', async () => {
    const name = newName()
    const [one, other] = [await open({ name }), await open({ name })].map((log) => log.queue('q', { codec: text }))
    // Until somebody has looked while it was away: it is given back after a while.
    await until('it was missing', async () => {
      // Nobody waits for it any more; its request is still with the servers.
      expect(await one.pop({ timeoutMs: 1 })).toBeUndefined()
      await other.push('a')
      let seen: (string | undefined)[] = []
      for (let looks = 0; looks < 20 && (looks === 0 || seen.length > 1); looks++)
        seen = [await other.peek(), ...(await collect(other.browse()))]
      expect(await other.size()).toBe(1)
      expect(await other.pop({ timeoutMs: 30_000 })).toBe('a')
      return seen.length === 1 && seen[0] === undefined
    })
  })

  it('what was given back when a trim comes is not lost, whenever it comes again', async () => {
    const options = { name: newName(), ackWaitMs: 1_000 }
    const [topic, there] = [await open(options), await open(options)].map((log) => log.topic('t', { codec: text }))
    await topic.appendMany(['a', 'b', 'c'])
    const consumer = topic.group('g').consume({ prefetch: 2 })
    const [first] = [await consumer.next(), await consumer.next()]
    await first.value?.ack()
    await consumer.return?.()
    await topic.trim(1)
    const again = await take(there.group('g').consume(), 2)
    expect(again.map(({ value }) => value).sort()).toEqual(['b', 'c'])
  })

  it('an open log keeps its process running, and a closed one does not', async () => {
    const program = `
      console.log(process.getActiveResourcesInfo().includes('TCPSocketWrap'))
      await log.close()
      console.log('closed')`
    // It ends, or its output would have no end.
    expect(await outputOf((await servers()).urls[0], newName(), program)).toBe('true\nclosed\n')
  })
})
