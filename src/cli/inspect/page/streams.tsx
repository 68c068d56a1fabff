/** Topics that are streams over HTTP: what the server knows of them. */
import { whole } from '../../units.js'
import type { StreamRow } from '../api.js'
import { useAnswer } from './ask.js'
import { Table, Trouble } from './parts.js'
import { visible } from './visible.js'

const columns = ['Topic', 'State', 'Content type', 'Until', 'Fork of', { title: 'Producers', isNumber: true }, 'Tail']

export function Streams() {
  const asked = useAnswer<StreamRow[]>('streams', {})
  if (asked.state === 'asking') return <p class="quiet">Looking for streams.</p>
  if (asked.state === 'refused') return <Trouble text={asked.error} />
  return (
    <>
      <h2>Streams</h2>
      {asked.answer.length === 0 && <p class="quiet">No topic is a stream over HTTP.</p>}
      {asked.answer.length > 0 && (
        <Table label="Streams over HTTP" columns={columns}>
          {asked.answer.map((stream) => (
            <tr key={stream.topic}>
              <th scope="row">
                <a href={`#messages/${stream.topic}`}>{stream.topic}</a>
              </th>
              <td>{stream.deleted ? 'deleted, kept for its forks' : stream.closed ? 'closed' : 'open'}</td>
              <td>{visible(stream.contentType)}</td>
              <td>{untilText(stream)}</td>
              <td>{stream.source}</td>
              <td class="number">{whole(stream.producers)}</td>
              <td>{stream.tail}</td>
            </tr>
          ))}
        </Table>
      )}
    </>
  )
}

function untilText({ ttlSeconds, expiresAt }: StreamRow): string {
  return ttlSeconds === undefined ? visible(expiresAt ?? '') : `${whole(ttlSeconds)} s without use`
}
