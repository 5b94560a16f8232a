import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseNameText } from '../../src/pki/name_write.ts'
import { nameText } from '../../src/pki/names.ts'
import type { Rule } from '../../src/pki/refusal.ts'
import { makeName } from './make_csr.ts'
import { accepted, assertRefused } from './outcomes.ts'

test('a name is read as it is printed', () => {
  for (const text of [
    'CN=Contoso Root',
    'CN=Contoso Root,O=Contoso,C=DE',
    'CN=a\\,b\\+c\\\\d,OU=x',
    'CN=root,DC=example,DC=com',
    'CN=Käse,O=日本',
    'CN=a=b',
  ]) {
    assert.equal(nameText(accepted(parseNameText(text))), text)
  }
})

test('the octets run from the root of the directory down, white space around values left out', () => {
  const expected = makeName({ '2.5.4.10': 'Contoso', '2.5.4.3': 'Root' })
  for (const text of ['CN=Root,O=Contoso', ' cn = Root , O= Contoso ']) {
    assert.deepEqual(accepted(parseNameText(text)), expected)
  }
})

describe('what is no name is refused', () => {
  const cases: readonly (readonly [string, Rule])[] = [
    ['', 'name-malformed'],
    ['Contoso Root', 'name-malformed'],
    ['/O=Contoso/CN=Root', 'name-malformed'],
    ['CN=', 'name-malformed'],
    ['CN=a+O=b', 'name-malformed'],
    ['XX=a', 'name-malformed'],
    ['C=Germany', 'name-too-long'],
    ['CN=a\u0000b', 'name-malformed'],
    [`CN=${'x'.repeat(65)}`, 'name-too-long'],
  ]
  for (const [text, rule] of cases) {
    test(JSON.stringify(text), () => assertRefused(parseNameText(text), rule))
  }
})
