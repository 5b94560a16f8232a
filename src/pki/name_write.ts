import { readDer, tags } from './der.ts'
import { objectIdentifier, sequence, tagged } from './der_writer.ts'
import { attributeTypes } from './name_attributes.ts'
import { checkRequestedName } from './name_rules.ts'
import { type Parsed, parsed, refuse } from './refusal.ts'

/**
 * Parses a name as RFC 4514 writes it (`CN=Contoso Root,O=Contoso,C=DE`, the most specific first) into
 * DER. Attributes go by the labels that `nameText` prints; of each RDN there is one attribute.
 */
export function parseNameText(text: string): Parsed<Uint8Array> {
  return parsed(() => {
    // Between commas that no backslash stands before.
    const parts = text.match(/(?:\\.|[^\\,])+/gsu) ?? []
    if (parts.length === 0) refuse('name-malformed', `${what} is empty; a CA needs a name`)
    const rdns = parts.map(readRdn).toReversed()
    const der = sequence(...rdns)
    checkRequestedName(readDer(der, what), what)
    return der
  })
}

const what = 'the subject'

const typeByLabel: ReadonlyMap<string, string> = new Map(
  [...attributeTypes].map(([type, { label }]) => [label.toLowerCase(), type]),
)

function readRdn(text: string): Uint8Array {
  const equals = text.indexOf('=')
  const label = text.slice(0, Math.max(equals, 0)).trim()
  const type = typeByLabel.get(label.toLowerCase())
  if (type === undefined) {
    const known = [...attributeTypes.values()].map((one) => one.label).join(', ')
    return refuse(
      'name-malformed',
      `${JSON.stringify(text)} in ${what} is not of the form CN=…; attributes are ${known}`,
    )
  }
  const tag = attributeTypes.get(type)?.tag ?? tags.utf8String
  const octets = Buffer.from(unescaped(text.slice(equals + 1)), 'utf8')
  return tagged(tags.set, sequence(objectIdentifier(type), tagged(tag, octets)))
}

/** White space around a value that is not escaped does not count. */
function unescaped(text: string): string {
  const trimmed = text.replace(/^ +/, '').replace(/(?<!\\) +$/, '')
  if (/(?<!\\)[+";<>]/.test(trimmed)) {
    refuse(
      'name-malformed',
      `${JSON.stringify(text)} in ${what} has one of + " ; < > without a backslash`,
    )
  }
  return trimmed.replace(/\\(.)/gsu, '$1')
}
