import { sameBytes } from './bytes.ts'
import { type Element, tags } from './der.ts'
import { type AttributeType, attributeTypes } from './name_attributes.ts'
import { emptyName, type NameAttribute, readName } from './names.ts'
import { refuse } from './refusal.ts'

/**
 * Refuses a Name that we would not put into a certificate. It is copied octet by octet, so the
 * bounds and string types of RFC 5280 appendix A.1 are the requester's to keep.
 */
export function checkRequestedName(element: Element, what: string): void {
  for (const attribute of readName(element, what).flat()) checkAttribute(attribute, what)
  for (const rdn of element.children) checkSetOrder(rdn, what)
}

/**
 * The subject to issue for. Istio's agents ask with `O=` and nothing else: where no attribute has a
 * value, there is no subject, and an attribute must have one (RFC 5280 appendix A.1).
 */
export function requestedSubject(element: Element, what: string): Uint8Array {
  const attributes = readName(element, what).flat()
  if (attributes.every(({ octets }) => octets.length === 0)) return emptyName
  checkRequestedName(element, what)
  return element.der
}

const printable = /^[A-Za-z0-9 '()+,\-./:=?]*$/

function checkAttribute({ type, tag, text }: NameAttribute, what: string): void {
  const known = attributeTypes.get(type)
  const shown = `${known?.label ?? type}=${JSON.stringify(text)} in ${what}`
  if (text === '') refuse('name-malformed', `${shown} is empty; leave the attribute out instead`)
  if (/\p{Cc}/u.test(text)) refuse('name-malformed', `${shown} has control characters`)
  if (tag === tags.printableString && !printable.test(text)) {
    refuse('name-malformed', `${shown} is a PrintableString with characters outside its alphabet`)
  }
  if (known !== undefined) checkKnown(known, tag, text, shown)
}

function checkKnown(known: AttributeType, tag: number, text: string, shown: string): void {
  if (known.tag !== undefined && known.tag !== tag) {
    const expected = known.tag === tags.ia5String ? 'IA5String' : 'PrintableString'
    refuse('name-malformed', `${shown} is not an ${expected} (RFC 5280 §4.1.2.4)`)
  }
  const length = [...text].length
  if (length > known.maxLength) {
    refuse(
      'name-too-long',
      `${shown} has ${length} characters; at most ${known.maxLength} are allowed (RFC 5280 appendix A.1)`,
    )
  }
  if (known.label === 'C' && !/^[A-Za-z]{2}$/.test(text)) {
    refuse('name-malformed', `${shown} is not a country code of two letters`)
  }
}

/** X.690 §11.6: a SET OF is sorted, and nothing is in it twice. */
function checkSetOrder(rdn: Element, what: string): void {
  for (const [i, { der }] of rdn.children.entries()) {
    const before = rdn.children[i - 1]?.der
    if (before !== undefined && (sameBytes(before, der) || Buffer.compare(before, der) > 0)) {
      refuse('name-malformed', `an RDN of ${what} is not in the order of DER`)
    }
  }
}
