import { describe, expect, it } from 'vitest'
import type { CaseName } from '../../bench/cases/catalogue.js'
import type { ContenderName } from '../../bench/contenders/catalogue.js'
import type { Figures } from '../../bench/job.js'
import { Results } from '../../bench/results.js'
import { judge } from '../../bench/targets.js'

function resultsOf(...runs: [CaseName, ContenderName, ...Figures[]][]): Results {
  const results = new Results()
  for (const [caseName, contender, ...rounds] of runs) {
    for (const [round, figures] of rounds.entries()) {
      results.record({ caseName, messageBytes: 100, contender, messages: 1 }, round, figures)
    }
  }
  return results
}

const rate = (messagesPerSecond: number): Figures => ({ messagesPerSecond })
const verdictOf = (results: Results, start: string, nodeMajor = 26) =>
  judge(results, nodeMajor).find((target) => target.figure.startsWith(start))?.verdict

describe('targets', () => {
  it('are all open when nothing was measured', () => {
    const targets = judge(new Results(), 26)
    expect(targets).toHaveLength(11)
    expect(new Set(targets.map((target) => target.verdict))).toEqual(new Set(['not measured']))
  })

  it('hold the product against the faster form of the bare loop', () => {
    const product = ['append', 'bookend', rate(95), rate(95)] as const
    const slow = ['append', 'bare', rate(50), rate(50)] as const
    expect(verdictOf(resultsOf([...product], [...slow]), 'offer until published, over the bare')).toBe('reached')
    const fast = ['append', 'bare-16k', rate(110), rate(110)] as const
    const results = resultsOf([...product], [...slow], [...fast])
    expect(verdictOf(results, 'offer until published, over the bare')).toBe('NOT reached')
  })

  it('state the latency on Node 20 and judge it on Node 26', () => {
    const results = resultsOf(['latency', 'bookend', { p50Us: 30 }])
    expect(verdictOf(results, 'one awaited append', 20)).toBe('stated only')
    expect(verdictOf(results, 'one awaited append', 26)).toBe('NOT reached')
  })

  it('judge a long case at its stated size only, and a cold read only if it was cold', () => {
    const open = (payloadBytes: number) => resultsOf(['recovery', 'bookend', { payloadBytes, openMs: 5 }])
    expect(verdictOf(open(1e9), 'open after')).toBe('stated only')
    expect(verdictOf(open(10e9), 'open after')).toBe('reached')
    const read = (isCold: number) => resultsOf(['cold-read', 'bookend', { payloadBytes: 4e9, p999Ms: 3, isCold }])
    expect(verdictOf(read(0), 'event loop delay')).toBe('stated only')
    expect(verdictOf(read(1), 'event loop delay')).toBe('reached')
  })
})
