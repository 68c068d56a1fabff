/** Text that somebody has sent, on a page. */

const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** The text with its lines kept: what could hide or reorder a part of it is shown as `\uXXXX`. */
export function visible(text: string): string {
  return text.replaceAll(hidden, (found) =>
    found === '\n' || found === '\t'
      ? found
      : Array.from(
          { length: found.length },
          (_, unit) => `\\u${found.charCodeAt(unit).toString(16).padStart(4, '0')}`,
        ).join(''),
  )
}
