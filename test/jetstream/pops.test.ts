import { text } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { until } from '../scenarios/support.js'
import { Passage } from '../support/nats/passage.js'
import { withServers } from './fixture.js'

withServers({}, ({ open, newName, servers }) => {
  it('a pop that does not wait is given what is there, although a message comes meanwhile that another has asked for', async () => {
    const name = newName()
    const passage = await Passage.to((await servers()).urls[0])
    onTestFinished(() => passage.close())
    const queue = (await open({ name }, passage.url)).queue('q', { codec: text })
    const elsewhere = (await open({ name })).queue('q', { codec: text })
    await elsewhere.push('first')
    expect(await queue.pop()).toBe('first')
    const waiting = queue.pop({ timeoutMs: 60_000 })
    // What it has asked is through when this is answered.
    await queue.size()
    passage.holdBack()
    const impatient = queue.pop()
    await until('it has asked', () => passage.holds('no_wait') > 0)
    await elsewhere.push('second')
    await until('the other one has been given it', () => passage.holds('+ACK') > 0)
    await elsewhere.push('third')
    passage.release()
    expect([await waiting, await impatient]).toEqual(['second', 'third'])
  })
})
