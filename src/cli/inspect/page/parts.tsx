/** Small parts that several rooms of the page use. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

export function Trouble({ text }: { text: string }) {
  return (
    <p class="trouble" role="alert">
      {text}
    </p>
  )
}

export function Tile({ label, value, more }: { label: string; value: string; more?: string }) {
  return (
    <div class="tile">
      <dt>{label}</dt>
      <dd>
        {value}
        {more !== undefined && <small>{more}</small>}
      </dd>
    </div>
  )
}

/** A window above the page; Escape and its button close it. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  title: string
  onClose: () => void
  children: ComponentChildren
}) {
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => element.current?.showModal(), [])
  return (
    <dialog ref={element} onClose={onClose} aria-labelledby="dialog-title">
      <header>
        <h2 id="dialog-title">{title}</h2>
        <button type="button" class="plain" onClick={() => element.current?.close()}>
          Close
        </button>
      </header>
      {children}
    </dialog>
  )
}

interface Confirmed {
  title: string
  text: string
  action: string
  onDone: (isConfirmed: boolean) => void
}

/** Before something that cannot be taken back. */
export function Confirm({ title, text, action, onDone }: Confirmed) {
  return (
    <Dialog title={title} onClose={() => onDone(false)}>
      <p>{text}</p>
      <p>
        <button type="button" class="danger" onClick={() => onDone(true)}>
          {action}
        </button>
      </p>
    </Dialog>
  )
}

interface TableColumn {
  title: string
  /** Its cells have the class as well. */
  isNumber?: boolean
}

/** Names of columns; of those with numbers, to be said so. */
export const number = (title: string): TableColumn => ({ title, isNumber: true })

interface TableProps {
  label: string
  columns: readonly (string | TableColumn)[]
  class?: string
  /** Its rows. */
  children: ComponentChildren
}

/** May be wider than a phone: it scrolls by itself. */
export function Table({ label, columns, class: name, children }: TableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section class="wide" tabIndex={0} aria-label={label}>
      <table class={name}>
        <thead>
          <tr>
            {columns.map((column) => {
              const { title, isNumber = false } = typeof column === 'string' ? { title: column } : column
              return (
                <th key={title} scope="col" class={isNumber ? 'number' : undefined}>
                  {title}
                </th>
              )
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  )
}
