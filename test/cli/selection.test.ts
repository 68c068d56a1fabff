import { open, type Topic } from 'bookend'
import { Command } from 'commander'
import { expect, it, onTestFinished } from 'vitest'
import { type Selection, selected, withLast, withSelection } from '../../src/cli/selection.js'
import { small, temporaryFolder } from './command.js'

async function twentyTwo(): Promise<Topic<Uint8Array>> {
  const log = await open(temporaryFolder(), small)
  onTestFinished(() => log.close())
  const topic = log.topic('orders')
  for (let number = 0; number < 20; number++) {
    const headers = { type: number % 5 === 0 ? 'refund' : 'sale', shop: `s${number % 2}` }
    await topic.append(new Uint8Array(1), { key: `k${number % 3}`, headers })
  }
  await topic.appendMany([new Uint8Array(1), new Uint8Array(1)])
  return topic
}

/** As they stand on a command line. */
async function offsets(topic: Topic<Uint8Array>, ...args: string[]): Promise<number[]> {
  const command = withLast(withSelection(new Command()), 10).exitOverride().parse(args, { from: 'user' })
  const found: number[] = []
  for await (const batch of selected(topic, command.opts<Selection>(), new AbortController().signal))
    found.push(...batch.map(({ offset }) => offset))
  return found
}

it('selects by place, number, key and header, and all of them together', async () => {
  const topic = await twentyTwo()
  expect(await offsets(topic)).toHaveLength(22)
  expect(await offsets(topic, '-n', '2')).toEqual([20, 21])
  expect(await offsets(topic, '-n', '0')).toEqual([])
  expect(await offsets(topic, '-n', '2', '--to', '5')).toEqual([3, 4])
  expect(await offsets(topic, '--from', '3', '--to', '6')).toEqual([3, 4, 5])
  expect(await offsets(topic, '--from', '6', '--to', '3')).toEqual([])
  expect(await offsets(topic, '--from', 'next')).toEqual([])
  expect(await offsets(topic, '--from', '1h', '--to', '2')).toEqual([0, 1])
  expect(await offsets(topic, '--to', '1h')).toEqual([])
  expect(await offsets(topic, '--last', '2', '--where', 'type=refund')).toEqual([10, 15])
  expect(await offsets(topic, '--key', 'k1', '--where', 'shop=s0')).toEqual([4, 10, 16])
  const any = ['--where', 'type=refund', '--where', 'type=sale', '--where', 'shop=s1']
  expect(await offsets(topic, '--last', '3', ...any)).toEqual([15, 17, 19])
})

it('the last messages that match are found however far back they are, and however many there are', async () => {
  const log = await open(temporaryFolder(), small)
  onTestFinished(() => log.close())
  const topic = log.topic('t')
  for (let round = 0; round < 3; round++) {
    await topic.append(new Uint8Array(1), { key: 'rare' })
    await topic.appendMany(Array.from({ length: 25_000 }, () => new Uint8Array(0)))
  }
  expect(await offsets(topic, '--last', '2', '--key', 'rare')).toEqual([25_001, 50_002])
  expect(await offsets(topic, '--last', '9', '--key', 'rare')).toEqual([0, 25_001, 50_002])
  expect(await offsets(topic, '--last', '1', '--key', 'none')).toEqual([])
  expect(await offsets(topic, '--last', '1', '--key', 'rare', '--to', '50002')).toEqual([25_001])
})
