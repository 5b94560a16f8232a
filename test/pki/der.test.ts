import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex } from '../../src/pki/bytes.ts'
import { readDer } from '../../src/pki/der.ts'
import { readOid } from '../../src/pki/der_fields.ts'
import {
  objectIdentifier,
  sequence,
  tagged,
  time,
  unsignedInteger,
} from '../../src/pki/der_writer.ts'
import { parsed, type Rule } from '../../src/pki/refusal.ts'
import { readTime } from '../../src/pki/times.ts'
import { accepted, assertRefused } from './outcomes.ts'

function read(text: string) {
  return parsed(() => readDer(Buffer.from(text.replaceAll(' ', ''), 'hex'), 'the test value'))
}

describe('DER is refused', () => {
  const cases: readonly (readonly [string, Rule, string])[] = [
    ['nothing', 'der-malformed', ''],
    ['a tag alone', 'der-malformed', '30'],
    ['a length beyond the end', 'der-malformed', '04 02 00'],
    ['a child beyond its parent', 'der-malformed', '30 03 04 02 00 00'],
    ['an octet after the end', 'der-malformed', '05 00 00'],
    ['an octet after a child', 'der-malformed', '30 03 05 00 00'],
    ['an indefinite length', 'der-malformed', '30 80 05 00 00 00'],
    ['a length in long form below 128', 'der-malformed', '04 81 01 00'],
    ['a length with a leading zero', 'der-malformed', `04 82 00 80 ${'00'.repeat(128)}`],
    ['a length of four octets', 'der-malformed', '04 84 00 00 00 01 00'],
    ['a length of 127 octets', 'der-malformed', 'ff'.repeat(4)],
    ['a high tag', 'der-malformed', '1f 20 00'],
    ['a high context tag', 'der-malformed', 'bf 20 00'],
    ['BOOLEAN 01', 'der-malformed', '01 01 01'],
    ['BOOLEAN of two octets', 'der-malformed', '01 02 ff ff'],
    ['an empty INTEGER', 'der-malformed', '02 00'],
    ['an INTEGER padded with 00', 'der-malformed', '02 02 00 7f'],
    ['an INTEGER padded with FF', 'der-malformed', '02 02 ff 80'],
    ['NULL with content', 'der-malformed', '05 01 00'],
    ['an empty OID', 'der-malformed', '06 00'],
    ['an OID that ends early', 'der-malformed', '06 02 2a 86'],
    ['an OID with a padded arc', 'der-malformed', '06 03 2a 80 01'],
    ['a BIT STRING without count', 'der-malformed', '03 00'],
    ['a BIT STRING with 8 unused bits', 'der-malformed', '03 02 08 00'],
    ['a BIT STRING with set unused bits', 'der-malformed', '03 02 01 01'],
    ['an empty BIT STRING with unused bits', 'der-malformed', '03 01 01'],
    ['a constructed OCTET STRING', 'der-malformed', '24 04 04 02 00 00'],
    ['a constructed UTF8String', 'der-malformed', '2c 04 0c 02 61 62'],
    ['a primitive SEQUENCE', 'der-malformed', '10 00'],
    ['a REAL', 'der-malformed', '09 00'],
    ['an end-of-contents', 'der-malformed', '00 00'],
    ['30 levels', 'der-limits', hex(nested(30))],
    [
      '9000 elements',
      'der-limits',
      hex(sequence(...Array.from({ length: 9000 }, () => Uint8Array.of(5, 0)))),
    ],
    ['70 kB', 'der-limits', '00'.repeat(70_000)],
  ]
  for (const [title, rule, text] of cases) {
    test(`${title}: ${rule}`, () => assertRefused(read(text), rule, /the test value/))
  }
})

describe('DER is read', () => {
  test('with views of the input, not copies', () => {
    const input = sequence(tagged(0x0c, Buffer.from('a')), Uint8Array.of(5, 0))
    const { children } = readDer(input, 'the test value')
    assert.deepEqual(
      children.map(({ tag, der, content }) => [tag, hex(der), hex(content)]),
      [
        [0x0c, '0c0161', '61'],
        [0x05, '0500', ''],
      ],
    )
    assert.ok(children.every(({ der }) => der.buffer === input.buffer))
  })

  for (const text of [
    '02 01 00',
    '02 02 00 80',
    '02 01 80',
    '02 02 ff 7f',
    '03 01 00',
    '01 01 00',
  ]) {
    test(`at the edge of the rules: ${text}`, () => void accepted(read(text)))
  }

  test('24 levels deep', () => void accepted(read(hex(nested(24)))))

  for (const id of [
    '0.9.2342.19200300.100.1.25',
    '1.3.101.112',
    '2.5.29.17',
    '2.999.3',
    '2.16.840.1.113730.4.1',
  ]) {
    test(`OID ${id} back as it was written`, () => {
      assert.equal(readOid(readDer(objectIdentifier(id), 'the OID'), 'the OID'), id)
    })
  }

  for (const length of [0, 1, 127, 128, 255, 256, 65_000]) {
    test(`content of ${length} octets back as it was written`, () => {
      const content = new Uint8Array(length).fill(1)
      assert.deepEqual(readDer(tagged(4, content), 'the octets').content, content)
    })
  }
})

describe('numbers are written', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['00', '020100'],
    ['7f', '02017f'],
    ['80', '02020080'],
    ['0000ff', '020200ff'],
    ['0001', '020101'],
    ['0000', '020100'],
  ]
  for (const [octets, der] of cases) {
    test(`${octets} as ${der}`, () => {
      assert.equal(hex(unsignedInteger(Buffer.from(octets, 'hex'))), der)
    })
  }
})

describe('dates', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['1999-12-31T23:59:59Z', '170d3939313233313233353935395a'],
    ['2049-12-31T23:59:59Z', '170d3439313233313233353935395a'],
    ['2050-01-01T00:00:00Z', '180f32303530303130313030303030305a'],
    ['9999-12-31T23:59:59Z', '180f39393939313233313233353935395a'],
  ]
  for (const [date, der] of cases) {
    test(`${date} is written and read as ${der.startsWith('17') ? 'UTCTime' : 'GeneralizedTime'}`, () => {
      const ms = Date.parse(date)
      assert.equal(hex(time(ms)), der)
      assert.equal(readTime(readDer(time(ms), 'the date')), ms)
    })
  }

  for (const text of [
    '2611221000Z',
    '261122100000',
    '261122100000+0100',
    '260231000000Z',
    '26112210000.Z',
    '261122250000Z',
  ]) {
    test(`${text} is refused`, () => {
      const element = readDer(tagged(0x17, Buffer.from(text)), 'the date')
      assertRefused(
        parsed(() => readTime(element)),
        'validity-malformed',
      )
    })
  }
})

function nested(levels: number): Uint8Array {
  let value: Uint8Array = Uint8Array.of(5, 0)
  for (let level = 0; level < levels; level += 1) value = sequence(value)
  return value
}
