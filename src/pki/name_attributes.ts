import { tags } from './der.ts'

export interface AttributeType {
  /** RFC 4514 §3, or what OpenSSL prints. */
  readonly label: string
  /** Upper bound in characters (RFC 5280 appendix A.1). */
  readonly maxLength: number
  /** The only string type that RFC 5280 allows, where it allows one. */
  readonly tag?: number
}

/** The attribute types whose rules we know; others are copied as they are. */
export const attributeTypes: ReadonlyMap<string, AttributeType> = new Map<string, AttributeType>([
  ['2.5.4.3', { label: 'CN', maxLength: 64 }],
  ['2.5.4.4', { label: 'SN', maxLength: 32_768 }],
  ['2.5.4.5', { label: 'serialNumber', maxLength: 64, tag: tags.printableString }],
  ['2.5.4.6', { label: 'C', maxLength: 2, tag: tags.printableString }],
  ['2.5.4.7', { label: 'L', maxLength: 128 }],
  ['2.5.4.8', { label: 'ST', maxLength: 128 }],
  ['2.5.4.9', { label: 'STREET', maxLength: 128 }],
  ['2.5.4.10', { label: 'O', maxLength: 64 }],
  ['2.5.4.11', { label: 'OU', maxLength: 64 }],
  ['2.5.4.12', { label: 'title', maxLength: 64 }],
  ['2.5.4.17', { label: 'postalCode', maxLength: 40 }],
  ['2.5.4.42', { label: 'GN', maxLength: 32_768 }],
  ['2.5.4.97', { label: 'organizationIdentifier', maxLength: 256 }],
  ['0.9.2342.19200300.100.1.1', { label: 'UID', maxLength: 256 }],
  ['0.9.2342.19200300.100.1.25', { label: 'DC', maxLength: 63, tag: tags.ia5String }],
  ['1.2.840.113549.1.9.1', { label: 'emailAddress', maxLength: 255, tag: tags.ia5String }],
])
