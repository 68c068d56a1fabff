import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open, text } from 'bookend'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { metrics, metricsHandler } from '../../src/observe/index.js'
import { temporaryFolder, until } from '../scenarios/support.js'

/** Samples by name and labels, as a reader of Prometheus has them. */
function samplesOf(page: string): Map<string, number> {
  const lines = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

const parser = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
print(json.dumps({f.name: [f.type, f.documentation != '', len(f.samples)] for f in text_string_to_metric_families(sys.stdin.read())}))
`
/** The Python of the system has what its packages bring, whatever other one stands in front of it. */
const python = ['python3', '/usr/bin/python3'].find(
  (each) => spawnSync(each, ['-c', 'import prometheus_client']).status === 0,
)

describe('metrics of an open log', () => {
  let log: Awaited<ReturnType<typeof open>>
  let directory: string

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'bookend-metrics-'))
    log = await open(directory, { segmentBytes: 1 << 20 })
  })
  afterAll(async () => {
    await log.close()
    rmSync(directory, { recursive: true })
  })

  it('count what happened, by topic and group', async () => {
    const label = `log="${directory}"`
    await metrics(log)
    const topic = log.topic('orders', { codec: text })
    await topic.appendMany(['a', 'b', 'c'])
    const { value: delivery } = await topic.group('billing').consume().next()
    await delivery.ack()
    await log.flush('disk')
    const flushes = `bookend_flush_seconds_count{${label}}`
    await until('the flush is told', async () => (samplesOf(await metrics(log)).get(flushes) ?? 0) > 0)
    const samples = samplesOf(await metrics(log))
    expect(samples.get(`bookend_messages_total{${label}}`)).toBe(3)
    expect(samples.get(`bookend_topic_messages{topic="orders",${label}}`)).toBe(3)
    expect(samples.get(`bookend_topic_offset_total{topic="orders",${label}}`)).toBe(3)
    expect(samples.get(`bookend_group_lag{topic="orders",group="billing",${label}}`)).toBe(2)
    expect(samples.get(`bookend_group_committed{topic="orders",group="billing",${label}}`)).toBe(1)
    expect(samples.get(`bookend_group_consumers{topic="orders",group="billing",${label}}`)).toBe(1)
    expect(samples.get(`bookend_durable_bytes{${label}}`)).toBeGreaterThan(0)
    for (const name of ['bookend_flushes_total', 'bookend_flush_time_seconds_total'])
      expect(samples.get(`${name}{${label}}`)).toBeGreaterThan(0)
    // A second look says the same, and not the sum of both.
    expect(samplesOf(await metrics(log)).get(`bookend_messages_total{${label}}`)).toBe(3)
  })

  it('forget what is gone', async () => {
    const group = log.topic('orders').group('short')
    await group.seek('next')
    expect(await metrics(log)).toContain('group="short"')
    await group.remove()
    expect(await metrics(log)).not.toContain('group="short"')
  })

  it('asked for at once, are whole each time', async () => {
    const pages = await Promise.all([metrics(log), metrics(log), metrics(log)])
    for (const page of pages) expect(page.match(/^bookend_messages_total/gm)).toHaveLength(1)
  })

  it.skipIf(python === undefined)("are read by Prometheus' own parser, with names, kinds and help", async () => {
    const { stdout, stderr } = spawnSync(python as string, ['-c', parser], {
      input: await metrics(log),
      encoding: 'utf8',
    })
    expect(stderr).toBe('')
    const families = Object.entries(JSON.parse(stdout) as Record<string, [string, boolean, number]>)
    expect(families.length).toBeGreaterThan(25)
    expect(
      families.filter(([, [kind, hasHelp]]) => !['counter', 'gauge', 'histogram'].includes(kind) || !hasHelp),
    ).toEqual([])
    expect(Object.fromEntries(families).bookend_flush_seconds[0]).toBe('histogram')
  })

  it('are those that the documentation and the dashboard name', async () => {
    const page = await metrics(log)
    const there = new Set([...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))
    const named = ['observing.md', 'grafana-dashboard.json'].map((file) => {
      const text = readFileSync(new URL(`../../docs/${file}`, import.meta.url), 'utf8')
      return [...text.matchAll(/\bbookend_[a-z_]+/g)].map(([name]) => name.replace(/_bucket$/, ''))
    })
    for (const names of named) expect(names.filter((name) => !there.has(name))).toEqual([])
    expect([...there].filter((name) => !named[0].includes(name))).toEqual([])
  })

  it('are served over http, and refused in words once the log is closed', async () => {
    const own = await open(temporaryFolder())
    const server = http.createServer(metricsHandler(own)).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`
    const answer = await fetch(url)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ])
    expect(await answer.text()).toContain('# TYPE bookend_messages_total counter')
    expect((await fetch(url, { method: 'POST' })).status).toBe(405)
    await own.close()
    const refused = await fetch(url)
    expect([refused.status, await refused.text()]).toEqual([503, expect.stringContaining('closed')])
    server.close()
  })
})
