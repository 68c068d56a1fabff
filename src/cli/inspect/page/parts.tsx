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

/** For tables that are wider than a phone. */
export function Wide({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section class="wide" tabIndex={0} aria-label={label}>
      {children}
    </section>
  )
}
