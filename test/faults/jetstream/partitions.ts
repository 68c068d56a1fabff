/**
 * Three nodes whose network is cut: the leader from both others, from its clients as well, and from one of the others; and the node that the
 * application is connected to. Each time so long, now and then, that another leader is elected while the old one does not know. A majority is
 * always connected: so appends must go on while it is cut. What else must hold: crowd.ts.
 *
 * Mutants it catches: a connection that stays with a node that gets no answers.
 */
import { Network } from '../../support/nats/network.js'
import { Servers } from '../../support/nats/servers.js'
import { type Context, emptyRow, type Fault, type Row } from '../fault.js'
import { Crowd } from './crowd.js'
import { leaderOf, nodeWithClients, pause, withRow } from './world.js'

const kinds = [
  'leader alone',
  'leader without clients',
  'leader and one other',
  "the application's node alone",
] as const
type Kind = (typeof kinds)[number]

const what = 'networks cut between nodes, JetStream, three replicas'
const nodes = 3
/** What was on its way when the network was cut has arrived by then. */
const underWayMs = 3_000

export const jetStreamPartitions: Fault = {
  name: 'jetstream-partitions',
  isRoot: false,
  needsServers: true,
  weight: 85,
  async run(context: Context): Promise<Row[]> {
    const whyNot = Network.whyNot()
    if (whyNot !== undefined) return [{ ...emptyRow(what), isLeftOut: true, note: whyNot }]
    return withRow(what, context, async (row, defer) => {
      const random = context.random(46)
      const network = Network.create(nodes)
      defer(async () => network.remove())
      const servers = await Servers.start({ nodes, sync: 'always', network })
      defer(() => servers.stop())
      const crowd = new Crowd(servers, context.scratch)
      defer(() => crowd.end())
      const counts = new Map<Kind, number>()
      for (; context.more(row.runs, 6); row.runs++) {
        await crowd.untilAtWork()
        await pause(random.below(2_000))
        const kind = kinds[(row.runs + context.seed) % kinds.length]
        counts.set(kind, (counts.get(kind) ?? 0) + 1)
        const isItsOwn = kind === "the application's node alone"
        const node = isItsOwn ? await nodeWithClients(servers) : await leaderOf(servers, crowd.stream)
        cut(network, node === undefined ? random.below(nodes) : servers.nodes.indexOf(node), kind)
        await pause(underWayMs + random.below(12_000))
        if (isItsOwn || random.chance(0.5)) await crowd.untilAtWork()
        network.heal()
      }
      await crowd.judge(row)
      row.recoveryMs.push(crowd.slowestMs)
      row.note = `${[...counts].map(([kind, count]) => `${count} ${kind}`).join(', ')}; ${row.note}`
    })
  },
}

function cut(network: Network, node: number, kind: Kind): void {
  network.cut(node, (node + 1) % nodes)
  if (kind === 'leader and one other') return
  network.cut(node, (node + 2) % nodes)
  if (kind === 'leader without clients') network.cutFromHere(node)
}
