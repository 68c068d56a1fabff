import { type Codec, json, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ shared }) => {
  const empty = async () => {
    const { log, name } = await shared()
    return { log, name, queue: log.queue(name, { codec: text }) }
  }

  it('what is pushed is popped once, in order, and then there is nothing', async () => {
    const { queue } = await empty()
    expect(await queue.pop()).toBeUndefined()
    expect(await queue.size()).toBe(0)
    for (let number = 0; number < 50; number++) expect(await queue.push(`m${number}`)).toBe(number)
    expect(await queue.size()).toBe(50)
    for (let number = 0; number < 50; number++) {
      expect(await queue.peek()).toBe(`m${number}`)
      expect(await queue.pop()).toBe(`m${number}`)
      expect(await queue.size()).toBe(49 - number)
    }
    expect(await queue.pop()).toBeUndefined()
    expect(await queue.peek()).toBeUndefined()
  })

  it('values are whatever the codec makes of them, bytes unless said', async () => {
    const { log, name } = await empty()
    const objects = log.queue(name, { codec: json })
    await objects.push({ a: [1, null] })
    expect(await objects.pop()).toEqual({ a: [1, null] })
    const raw = log.queue((await shared()).name)
    await raw.push(new Uint8Array(0))
    await raw.push(new Uint8Array([7]))
    expect(await raw.pop()).toEqual(new Uint8Array(0))
    expect(await raw.pop()).toEqual(new Uint8Array([7]))
  })

  it('those who wait are served in the order of their calls, one message each', async () => {
    const { queue } = await empty()
    const order: number[] = []
    const waiting = Array.from({ length: 20 }, (_, index) =>
      queue.pop({ timeoutMs: 30_000 }).then((value) => {
        order.push(index)
        return value
      }),
    )
    for (let number = 0; number < 20; number++) await queue.push(`m${number}`)
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: 20 }, (_, index) => `m${index}`))
    expect(order).toEqual([...order].sort((a, b) => a - b))
    expect(await queue.size()).toBe(0)
  })

  it('a pop that does not wait does not push in before those who do', async () => {
    const { queue } = await empty()
    const waiting = queue.pop({ timeoutMs: 30_000 })
    const hasty = queue.pop()
    expect(await hasty).toBeUndefined()
    await queue.push('for the first')
    expect(await waiting).toBe('for the first')
  })

  it('a message that cannot be decoded stays where it is', async () => {
    const { log, name } = await empty()
    let isBroken = true
    const codec: Codec<string> = {
      encode: text.encode,
      decode: (bytes) => {
        if (isBroken) throw new Error('cannot read this')
        return text.decode(bytes)
      },
    }
    const queue = log.queue(name, { codec })
    await queue.push('a')
    await queue.push('b')
    const error = await codedFailureOf(() => queue.pop())
    expect(error).toMatchObject({ code: 'BOOKEND_DECODE', cause: { message: 'cannot read this' } })
    expect(await queue.size()).toBe(2)
    isBroken = false
    expect(await queue.pop()).toBe('a')
    expect(await queue.pop()).toBe('b')
  })
})
