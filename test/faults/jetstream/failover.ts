/**
 * Three nodes under `kill -9` of one at random, of the leader, of all three, and of the application that works with them, and under SIGSTOP of
 * the leader. What must hold: crowd.ts.
 *
 * Mutants it catches: appends without an id.
 */
import { type Node, Servers } from '../../support/nats/servers.js'
import type { Seeded } from '../../support/seeded.js'
import type { Context, Fault, Row } from '../fault.js'
import { Crowd } from './crowd.js'
import { leaderOf, pause, withRow } from './world.js'

const kinds = ['any node', 'leader', 'leader', 'all nodes', 'leader stopped', 'application'] as const
type Kind = (typeof kinds)[number]

export const jetStreamFailover: Fault = {
  name: 'jetstream-failover',
  isRoot: false,
  needsServers: true,
  weight: 90,
  run: (context: Context): Promise<Row[]> =>
    withRow('nodes and the application killed, JetStream, three replicas', context, async (row, defer) => {
      const random = context.random(42)
      const servers = await Servers.start({ nodes: 3, sync: 'always' })
      defer(() => servers.stop())
      const crowd = new Crowd(servers, context.scratch)
      defer(() => crowd.end())
      const counts = new Map<Kind, number>()
      for (; context.more(row.runs, 12); row.runs++) {
        await crowd.untilAtWork()
        await pause(random.below(1_500))
        const kind = random.pick(kinds)
        counts.set(kind, (counts.get(kind) ?? 0) + 1)
        await harm(servers, crowd, kind, random)
      }
      await crowd.judge(row)
      row.recoveryMs.push(crowd.slowestMs)
      row.note = `${[...counts].map(([kind, count]) => `${count} ${kind}`).join(', ')}; ${row.note}`
    }),
}

async function harm(servers: Servers, crowd: Crowd, kind: Kind, random: Seeded): Promise<void> {
  const one = random.pick(servers.nodes)
  const leader = (await leaderOf(servers, crowd.stream)) ?? one
  if (kind === 'application') return crowd.kill()
  if (kind === 'leader stopped') {
    leader.signal('SIGSTOP')
    await pause(1_000 + random.below(5_000))
    leader.signal('SIGCONT')
    return
  }
  const victims: readonly Node[] = kind === 'all nodes' ? servers.nodes : [kind === 'leader' ? leader : one]
  await Promise.all(victims.map((node) => node.kill()))
  await pause(300 + random.below(1_200))
  for (const node of victims) await node.start()
  for (const node of victims) await node.untilHealthy()
}
