import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  parseDnsPattern,
  parseIpAddress,
  parseIpRange,
  parsePrefixPattern,
  parseUriPattern,
} from '../../src/pki/name_patterns.ts'

type Table = Readonly<
  Record<string, { readonly yes: readonly string[]; readonly no: readonly string[] }>
>

function check(
  parse: (text: string) => ((name: string) => boolean) | undefined,
  table: Table,
): void {
  for (const [text, { yes, no }] of Object.entries(table)) {
    const matches = parse(text)
    assert(matches !== undefined, `${text} is a pattern`)
    for (const name of yes) assert.equal(matches(name), true, `${text} lets ${name} through`)
    for (const name of no) assert.equal(matches(name), false, `${text} holds ${name} back`)
  }
}

test('DNS patterns: exact, one label more, any number of labels', () => {
  check(parseDnsPattern, {
    'myapp.example.com': {
      yes: ['myapp.example.com', 'MyApp.Example.com'],
      no: ['x.myapp.example.com', 'example.com', 'myapp.example.com.evil.example'],
    },
    '*.example.com': {
      yes: ['a.example.com', '*.example.com'],
      no: ['example.com', '.example.com', 'a.b.example.com', 'aexample.com', '*.a.example.com'],
    },
    '**.example.com': {
      yes: ['a.example.com', 'a.b.example.com', '*.a.example.com'],
      no: ['example.com', '.example.com', 'evilexample.com'],
    },
    '*': { yes: ['anything.example'], no: [] },
  })
  for (const text of ['', '*.', '**', 'a*.b', '*.*.b', 'a..b', '.a', 'a b', '***.a']) {
    assert.equal(parseDnsPattern(text), undefined, text)
  }
})

test('URI patterns end a path segment, so that no longer host name slips in', () => {
  check(parseUriPattern, {
    'spiffe://cluster-a/*': {
      yes: ['spiffe://cluster-a/ns/x', 'spiffe://cluster-a/'],
      no: ['spiffe://cluster-a', 'spiffe://cluster-a.evil/ns/x', 'spiffe://cluster-b/ns/x'],
    },
    'spiffe://td/ns/a/sa/b': { yes: ['spiffe://td/ns/a/sa/b'], no: ['spiffe://td/ns/a/sa/bc'] },
    '*': { yes: ['urn:x'], no: [] },
  })
  for (const text of ['', 'spiffe://td*', 'spiffe://*/x', '**']) {
    assert.equal(parseUriPattern(text), undefined, text)
  }
})

test('prefix patterns', () => {
  check(parsePrefixPattern, {
    'istiod *': { yes: ['istiod cluster-a', 'istiod '], no: ['Istiod x', 'istiod'] },
    exact: { yes: ['exact'], no: ['exactly', 'exac'] },
  })
  for (const text of ['', 'a*b', '**']) assert.equal(parsePrefixPattern(text), undefined, text)
})

test('address ranges are matched on octets, version 4 and 6 apart', () => {
  for (const [range, yes, no] of [
    ['10.0.0.0/8', ['10.1.2.3'], ['11.0.0.1', '::ffff:10.0.0.1']],
    ['10.1.2.0/23', ['10.1.3.255'], ['10.1.4.0']],
    ['192.0.2.7', ['192.0.2.7'], ['192.0.2.8']],
    ['0.0.0.0/0', ['255.255.255.255'], ['::']],
    ['2001:db8::/33', ['2001:db8:7fff::1'], ['2001:db8:8000::1', '2001:db9::']],
    ['*', ['1.2.3.4', '::1'], []],
  ] as const) {
    const holds = parseIpRange(range)
    assert(holds !== undefined, range)
    for (const text of yes) assert.equal(holds(octets(text)), true, `${range} holds ${text}`)
    for (const text of no) assert.equal(holds(octets(text)), false, `${range} lacks ${text}`)
  }
  for (const text of [
    '',
    '10.0.0.0/33',
    '10.0.0/8',
    '::/129',
    '10.0.0.0/',
    '1.2.3.4/8/8',
    'fe80::1%eth0',
  ]) {
    assert.equal(parseIpRange(text), undefined, text)
  }
})

test('addresses in every spelling', () => {
  for (const [text, hex] of [
    ['1.2.3.4', '01020304'],
    ['::', '00'.repeat(16)],
    ['::1', `${'00'.repeat(15)}01`],
    ['2001:DB8::A:0:1', '20010db8000000000000000a00000001'],
    ['::ffff:1.2.3.4', `${'00'.repeat(10)}ffff01020304`],
  ] as const) {
    assert.equal(Buffer.from(octets(text)).toString('hex'), hex, text)
  }
})

function octets(text: string): Uint8Array {
  const parsed = parseIpAddress(text)
  assert(parsed !== undefined, text)
  return parsed
}
