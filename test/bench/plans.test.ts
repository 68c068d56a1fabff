import { expect, it } from 'vitest'
import { benchCases } from '../../bench/cases/catalogue.js'
import { contenderNames } from '../../bench/contenders/catalogue.js'
import { parseOptions } from '../../bench/options.js'
import { plansOf, workloadOf } from '../../bench/rounds.js'

const outside = { contenders: [], workloads: [] }
const plans = (...argv: string[]) => plansOf({ options: parseOptions(argv), contenders: contenderNames, outside })

it('every case has a point in every kind of run, and its data is more than one segment where it is about bulk', () => {
  for (const argv of [[], ['--full'], ['--smoke']]) {
    const expected = benchCases.filter(({ isLong }) => argv.length > 0 || !isLong)
    expect(new Set(plans(...argv).map(({ benchCase }) => benchCase))).toEqual(new Set(expected))
  }
  const segmentBytes = 128 * 1024 * 1024
  for (const { point } of plans('--only', 'append,read,scan')) {
    expect(point.messages * point.messageBytes).toBeGreaterThan(segmentBytes)
  }
})

it('slow peers get a quarter in a short run, the same in a full one, and the same wherever the data is the point', () => {
  const shareOf = (isFull: boolean, name: string) => {
    const plan = plans(...(isFull ? ['--full'] : []), '--only', name)[0]!
    return workloadOf(plan, 'lmdb', isFull).messages / workloadOf(plan, 'bookend', isFull).messages
  }
  expect(shareOf(false, 'append')).toBeCloseTo(0.25, 5)
  expect(shareOf(true, 'append')).toBe(1)
  for (const name of ['open', 'append-disk', 'in-flight', 'queue']) expect(shareOf(false, name)).toBe(1)
})

it('data that is to be larger than memory is four times as large, for everybody', () => {
  const limited = plans('--only', 'append-limited,read-limited,get-limited')
  expect(limited).toHaveLength(3)
  for (const plan of limited) {
    const { point, benchCase } = plan
    expect((point.before as number) * point.messageBytes).toBeGreaterThanOrEqual(4 * (benchCase.memoryBytes as number))
    expect(workloadOf(plan, 'lmdb', false)).toEqual(workloadOf(plan, 'bookend', false))
  }
})

it('durable appends are compared at the durable level only', () => {
  for (const { benchCase } of plans())
    expect(benchCase.level ?? 'process').toBe(benchCase.name === 'append-disk' ? 'disk' : 'process')
})

it('peers are not asked for a backlog that would take them hours', () => {
  const taking = plans('--full', '--only', 'backlog').map(({ point, contenders }) => [
    point.parameter,
    contenders.length,
  ])
  expect(taking).toEqual([
    [1e6, 3],
    [10e6, 3],
    [100e6, 3],
    [1e9, 3],
    [10e9, 1],
  ])
})
