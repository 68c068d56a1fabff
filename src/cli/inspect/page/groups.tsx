/** Consumer groups, and how far behind they are. */
import { useState } from 'preact/hooks'
import { whole } from '../../units.js'
import type { GroupPicture, Picture } from '../api.js'
import { change } from './ask.js'
import { Chart } from './chart.js'
import { type History, lagName } from './history.js'
import { Dialog, number, Table, Trouble } from './parts.js'

/** More lines than that cannot be told apart. */
const drawn = 6

export function Groups({ picture: { groups, isWritable }, history }: { picture: Picture; history: History }) {
  const [sought, setSought] = useState<GroupPicture>()
  if (groups.length === 0) return <p class="quiet">No group has consumed anything yet.</p>
  const { moments } = history
  const worst = [...groups].sort((a, b) => (b.lag ?? 0) - (a.lag ?? 0)).slice(0, drawn)
  // In an order that does not change with the lag: a line keeps its colour.
  const lines = worst
    .map(lagName)
    .sort()
    .map((label) => ({ label, values: moments.map(({ lags }) => lags.get(label) ?? 0) }))
  return (
    <>
      <h2>Groups</h2>
      <Chart title="Messages to do" at={moments.map(({ at }) => at)} lines={lines} inWords={whole} />
      <Table
        label="Table of groups"
        columns={[
          'Topic',
          'Group',
          'Of',
          number('Committed'),
          number('Next'),
          number('To do'),
          ...(isWritable ? ['Change'] : []),
        ]}
      >
        {groups.map((group) => (
          <tr key={lagName(group)}>
            <td>
              <a href={`#messages/${group.topic}`}>{group.topic}</a>
            </td>
            <td>{group.group}</td>
            <td>{group.of}</td>
            <td class="number">{group.committed === null ? 'damaged' : whole(group.committed)}</td>
            <td class="number">{whole(group.next)}</td>
            <td class="number">{group.lag === null ? '' : whole(group.lag)}</td>
            {isWritable && (
              <td>
                {group.of === 'log' && (
                  <button type="button" class="link" onClick={() => setSought(group)}>
                    Seek {group.group}…
                  </button>
                )}
              </td>
            )}
          </tr>
        ))}
      </Table>
      {sought !== undefined && <Seek group={sought} onClose={() => setSought(undefined)} />}
    </>
  )
}

function Seek({ group: { topic, group, committed }, onClose }: { group: GroupPicture; onClose: () => void }) {
  const [trouble, setTrouble] = useState<string>()
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const to = String(new FormData(event.currentTarget as HTMLFormElement).get('to') ?? '')
    change('seek', { topic, group, to }).then(onClose, (error: Error) => setTrouble(error.message))
  }
  return (
    <Dialog title={`Seek ${group} of ${topic}`} onClose={onClose}>
      <form class="query" onSubmit={submit}>
        <label>
          Go on at
          <input name="to" required defaultValue={String(committed ?? 0)} placeholder="first, next, an offset, 2h" />
        </label>
        <button type="submit">Seek</button>
      </form>
      {trouble !== undefined && <Trouble text={trouble} />}
    </Dialog>
  )
}
