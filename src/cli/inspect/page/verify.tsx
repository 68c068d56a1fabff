/** Reading everything, to know that it is whole. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { bytes, counted, whole } from '../../units.js'
import type { Refusal, VerifyProgress, VerifyResult } from '../api.js'
import { number, Table, Trouble } from './parts.js'
import { visible } from './visible.js'

type Stage =
  | { stage: 'idle' }
  | { stage: 'running'; progress: VerifyProgress }
  | { stage: 'done'; result: VerifyResult }
  | { stage: 'failed'; error: string }

export function Verify() {
  const [state, setState] = useState<Stage>({ stage: 'idle' })
  const source = useRef<EventSource>(undefined)
  const stop = () => source.current?.close()
  const start = () => {
    setState({ stage: 'running', progress: { done: 0, total: 0 } })
    const events = new EventSource('/api/verify')
    source.current = events
    const end = (last: Stage) => {
      events.close()
      setState(last)
    }
    events.addEventListener('progress', (event) => setState({ stage: 'running', progress: JSON.parse(event.data) }))
    events.addEventListener('result', (event) => end({ stage: 'done', result: JSON.parse(event.data) as VerifyResult }))
    events.addEventListener('failed', (event) =>
      end({ stage: 'failed', error: (JSON.parse(event.data) as Refusal).error }),
    )
    events.onerror = () => end({ stage: 'failed', error: 'The inspector does not answer: was it ended?' })
  }
  // Who leaves the page has no use for the answer.
  useEffect(() => stop, [])
  return (
    <>
      <h2>Verify</h2>
      <p>Reads every byte and checks it: headers, checksums, offsets, indexes, groups. It changes nothing.</p>
      <p class="actions">
        <button type="button" disabled={state.stage === 'running'} onClick={start}>
          Verify the log
        </button>
        {state.stage === 'running' && (
          <button
            type="button"
            onClick={() => {
              stop()
              setState({ stage: 'idle' })
            }}
          >
            Stop
          </button>
        )}
      </p>
      {state.stage === 'running' && <Progress {...state.progress} />}
      {state.stage === 'failed' && <Trouble text={state.error} />}
      {state.stage === 'done' && <Result {...state.result} />}
    </>
  )
}

function Progress({ done, total }: VerifyProgress) {
  return (
    <p role="status">
      <progress max={Math.max(1, total)} value={done} aria-label="Checked" /> {bytes(done)} of {bytes(total)}
    </p>
  )
}

function Result({ segments, bytes: size, batches, messages, damages, remarks }: VerifyResult) {
  const isWhole = damages.length === 0
  return (
    <div role="status">
      <p class={isWhole ? 'good' : 'trouble'}>
        {isWhole ? 'The log is whole.' : `${counted(damages.length, 'damage')} found.`}
      </p>
      <p>
        {counted(segments, 'segment')}, {bytes(size)}, {counted(batches, 'batch', 'batches')},{' '}
        {counted(messages, 'message')}
      </p>
      <Findings title="Damage" found={damages} />
      <Findings title="Notes" found={remarks} />
    </div>
  )
}

function Findings({ title, found }: { title: string; found: VerifyResult['damages'] }) {
  if (found.length === 0) return null
  return (
    <>
      <h3>{title}</h3>
      <Table label={`Table of ${title.toLowerCase()}`} columns={['Kind', 'File', number('Position'), 'What']}>
        {found.map(({ kind, file, position, what }) => (
          <tr key={`${file} ${position} ${what}`}>
            <td>{kind}</td>
            <td>{file}</td>
            <td class="number">{whole(position)}</td>
            <td class="value">{visible(what)}</td>
          </tr>
        ))}
      </Table>
    </>
  )
}
