/** Objects that somebody else keeps: they can be counted, and are gone when they are taken out, or when nobody has them any more. */
export class Living<T extends object> {
  readonly #references = new WeakMap<T, WeakRef<T>>()
  readonly #all = new Set<WeakRef<T>>()
  /** What is collected is dropped at this size: half of them have come since the last look, so a look costs each of them little. */
  #lookAt = 64

  add(object: T): void {
    if (this.#references.has(object)) return
    const reference = new WeakRef(object)
    this.#references.set(object, reference)
    this.#all.add(reference)
    if (this.#all.size >= this.#lookAt) this.#lookAt = 2 * this.count() + 64
  }

  delete(object: T): void {
    const reference = this.#references.get(object)
    if (reference === undefined) return
    this.#all.delete(reference)
    this.#references.delete(object)
  }

  clear(): void {
    for (const reference of this.#all) {
      const object = reference.deref()
      if (object !== undefined) this.#references.delete(object)
    }
    this.#all.clear()
  }

  count(): number {
    for (const reference of this.#all) if (reference.deref() === undefined) this.#all.delete(reference)
    return this.#all.size
  }
}
