import { type JsonObject, objectAt, objectsAt, textAt } from '../json.ts'

/** A root that an issuer hands out, as its status lists it: in the order of their publication. */
export interface PublishedRoot {
  /** Of the certificate, lower-case hexadecimal. */
  readonly sha256: string
  readonly subject: string
  /** RFC 3339. */
  readonly notAfter: string
  /** RFC 3339: when it was first published. */
  readonly since: string
}

/** Reads `status.ca.roots`. */
export function publishedRoots(status: JsonObject | undefined): readonly PublishedRoot[] {
  return objectsAt(objectAt(status, 'ca'), 'roots').flatMap((root) => {
    const [sha256, subject] = [textAt(root, 'sha256'), textAt(root, 'subject')]
    const [notAfter, since] = [textAt(root, 'notAfter'), textAt(root, 'since')]
    return sha256 && subject && notAfter && since ? [{ sha256, subject, notAfter, since }] : []
  })
}
