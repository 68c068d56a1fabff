import { describe, expect, it } from 'vitest'
import type { ContenderName } from '../../bench/contenders/catalogue.js'
import type { Figures } from '../../bench/job.js'
import { Results } from '../../bench/results.js'
import { judge } from '../../bench/targets.js'

type Run = [where: string, contender: ContenderName, ...rounds: Figures[]]

/** @param runs each at `case/bytes/parameter` */
function resultsOf(...runs: Run[]): Results {
  const results = new Results()
  for (const [where, contender, ...rounds] of runs) {
    const [caseName, messageBytes, parameter] = where.split('/') as [string, string, string]
    const key = { caseName, messageBytes: Number(messageBytes), parameter: Number(parameter), contender, messages: 1 }
    for (const [round, figures] of rounds.entries()) results.record(key, round, { figures })
  }
  return results
}

const rate = (messagesPerSecond: number): Figures => ({ messagesPerSecond })
const quick = { dataBytes: 136 * 1024 * 1024 }
const verdictOf = (results: Results, start: string) =>
  judge(results, quick).find((target) => target.figure.startsWith(start))?.verdict

describe('targets', () => {
  it('are all open when nothing was measured', () => {
    const targets = judge(new Results(), quick)
    expect(targets.length).toBeGreaterThan(15)
    expect(new Set(targets.map((target) => target.verdict))).toEqual(new Set(['not measured']))
  })

  it('hold the product against a peer round by round', () => {
    const where = 'append/100/0'
    // Twelve times as fast in each round, though the machine was half as fast in the second.
    const product: Run = [where, 'bookend', rate(24), rate(12)]
    expect(verdictOf(resultsOf(product, [where, 'lmdb', rate(2), rate(1)]), 'offer until published, over lmdb')).toBe(
      'reached',
    )
    expect(
      verdictOf(resultsOf(product, [where, 'lmdb', rate(2.1), rate(1.1)]), 'offer until published, over lmdb'),
    ).toBe('NOT reached')
  })

  it('compare the same level and the same number of writers only', () => {
    const product: Run = ['append-disk/100/1000', 'bookend', rate(100)]
    const start = 'append at level disk, 1,000 in flight, over lmdb'
    expect(verdictOf(resultsOf(product, ['in-flight/100/1000', 'lmdb', rate(1)]), start)).toBe('not measured')
    expect(verdictOf(resultsOf(product, ['append-disk/100/1', 'lmdb', rate(1)]), start)).toBe('not measured')
    expect(verdictOf(resultsOf(product, ['append-disk/100/1000', 'lmdb', rate(50)]), start)).toBe('reached')
  })

  it('allow an append to cost five per cent more at the end of a large log', () => {
    const small: Run = ['backlog/100/10000000', 'bookend', { nsPerMessage: 100 }]
    const large = (nsPerMessage: number): Run => ['backlog/100/10000000000', 'bookend', { nsPerMessage }]
    expect(verdictOf(resultsOf(small, large(104)), 'an append at 10 GB')).toBe('reached')
    expect(verdictOf(resultsOf(small, large(106)), 'an append at 10 GB')).toBe('NOT reached')
  })

  it('hold two threads against one, and only tell of it where nothing was promised', () => {
    const of = (caseName: string, one: number, two: number) =>
      resultsOf([`${caseName}/100/1`, 'bookend', rate(one)], [`${caseName}/100/2`, 'bookend', rate(two)])
    expect(verdictOf(of('scan', 10, 18), 'scan, two readers')).toBe('reached')
    expect(verdictOf(of('scan', 10, 17), 'scan, two readers')).toBe('NOT reached')
    expect(verdictOf(of('threads-json', 10, 1), 'JSON made')).toBe('stated only')
  })

  it('judge a long case at its stated size only, and a cold read only if it was cold', () => {
    const read = (payloadBytes: number, isCold: number) =>
      resultsOf(['cold-read/100/0', 'bookend', { payloadBytes, loopP999Ms: 3, isCold }])
    expect(verdictOf(read(4e9, 0), 'event loop delay')).toBe('stated only')
    expect(verdictOf(read(1e9, 1), 'event loop delay')).toBe('stated only')
    expect(verdictOf(read(4e9, 1), 'event loop delay')).toBe('reached')
  })

  it('are not judged by a run that is shorter than what they are stated for', () => {
    const results = resultsOf(['append/100/0', 'bookend', rate(100)], ['append/100/0', 'lmdb', rate(1)])
    const told = judge(results, { dataBytes: 2 ** 20 }).filter(({ verdict }) => verdict !== 'not measured')
    expect(told.map(({ verdict }) => verdict)).toEqual(['stated only'])
  })
})
