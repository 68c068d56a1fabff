/** What the servers can do and keep: found out when a log is opened, since nothing may be promised that they do not. */
import type { ServerInfo } from '@nats-io/transport-node'
import type { Durability } from '../../engine/terms.js'
import { BookendError } from '../../errors.js'

/** Atomic batches came with 2.12, the reset of a consumer, which a seek is, with 2.14. */
const oldest = [2, 14] as const
/** Of `max_payload` for the headers that come with a message. */
const headerReserveBytes = 1_024

/** @throws `BOOKEND_UNSUPPORTED` */
export function checkServer(info: ServerInfo | undefined, place: string): void {
  const version = info?.version ?? 'unknown'
  const [major, minor] = version.replace(/^v/, '').split(/[.-]/).map(Number)
  if (!(major > oldest[0] || (major === oldest[0] && minor >= oldest[1])))
    throw unsupported(place, `a server of ${oldest.join('.')} or later is needed, and this is ${version}: upgrade it`)
  if (info?.jetstream !== true || info.headers !== true)
    throw unsupported(
      place,
      'this server has no JetStream: add `jetstream { store_dir: "/path" }` to its configuration',
    )
}

/** The longest message, with its key and headers. */
export function messageBytesLimit(info: ServerInfo | undefined): number {
  return Math.max(1, (info?.max_payload ?? 1 << 20) - headerReserveBytes)
}

/** What one node says of itself. */
interface NodeSays {
  readonly id: string
  readonly syncsAlways: boolean
  /** Nodes of its cluster that have JetStream, as it knows them; 1 outside of a cluster. */
  readonly clusterSize: number
}

/**
 * The levels that are kept with so many replicas. `disk` only where every node is proven to flush before it answers, and where there are
 * several: a node by itself flushes appends, but not the acknowledgements of groups.
 */
export async function levelsOf(
  replicas: number,
  monitors: readonly string[],
  serverSyncs: boolean,
): Promise<{ levels: Durability[]; whyNoDisk: string | undefined }> {
  if (replicas === 1) return { levels: ['process'], whyNoDisk: 'one replica does not keep it: replicas: 3' }
  if (serverSyncs) return { levels: ['process', 'replicated', 'disk'], whyNoDisk: undefined }
  const whyNoDisk = await missingProof(monitors)
  return { levels: whyNoDisk === undefined ? ['process', 'replicated', 'disk'] : ['process', 'replicated'], whyNoDisk }
}

/** Why it is not proven that every node flushes; undefined: it is. */
async function missingProof(monitors: readonly string[]): Promise<string | undefined> {
  if (monitors.length === 0)
    return 'set `jetstream { sync_interval: always }` on every node and name their monitoring URLs in `monitors`, or say `serverSyncs: true`'
  const said: NodeSays[] = []
  for (const url of monitors) {
    try {
      said.push(await askNode(url))
    } catch (cause) {
      return `the monitor ${url} does not answer (${cause instanceof Error ? cause.message : String(cause)})`
    }
  }
  const lazy = said.findIndex(({ syncsAlways }) => !syncsAlways)
  if (lazy >= 0) return `the node of ${monitors[lazy]} does not say \`sync_interval: always\``
  const asked = new Set(said.map(({ id }) => id)).size
  const nodes = Math.max(...said.map(({ clusterSize }) => clusterSize))
  return asked < nodes ? `the cluster has ${nodes} nodes, and monitors name ${asked} of them` : undefined
}

async function askNode(url: string): Promise<NodeSays> {
  const ask = async (path: string) => {
    const answer = await fetch(new URL(path, url), { signal: AbortSignal.timeout(5_000) })
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`)
    return (await answer.json()) as Record<string, unknown>
  }
  const [general, jetStream] = [await ask('/varz'), await ask('/jsz')]
  const { config } = (general.jetstream ?? {}) as { config?: { sync_always?: boolean } }
  const { cluster_size } = (jetStream.meta_cluster ?? {}) as { cluster_size?: number }
  return { id: String(general.server_id), syncsAlways: config?.sync_always === true, clusterSize: cluster_size ?? 1 }
}

export function unsupported(place: string, what: string): BookendError {
  return new BookendError('BOOKEND_UNSUPPORTED', `the servers at ${place}: ${what}`)
}
