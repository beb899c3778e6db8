import { originOf } from './record-origin';

test.each([
  ['https://fleet.example.com/agents/translator', 'https://fleet.example.com', 'fleet.example.com'],
  ['https://fleet.example.com', 'https://fleet.example.com', 'fleet.example.com'],
  ['HTTPS://Fleet.Example.COM./a', 'https://fleet.example.com', 'fleet.example.com'],
  ['https://fleet.example.com:443/a', 'https://fleet.example.com', 'fleet.example.com'],
  ['https://fleet.example.com.:8443/a', 'https://fleet.example.com:8443', 'fleet.example.com:8443'],
  ['https://bücher.example/a', 'https://xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['https://fleet.example.com/a?b#c', 'https://fleet.example.com', 'fleet.example.com'],
])('%s is vouched for at %s', (name, origin, domain) => {
  expect(originOf(name, false)).toEqual({ origin, domain });
});

test.each([
  ['directory.agntcy.org/example/research-assistant-v1', /no URL/],
  ['fleet.example.com', /no URL/],
  ['', /no URL/],
  ['https:fleet.example.com/a', /no URL/],
  ['https:///a', /no URL/],
  ['https:\\\\fleet.example.com\\a', /no URL/],
  ['https://fleet.example.com\\@evil.example/a', /no URL/],
  ['https://fleet.example.com/a b', /no URL/],
  ['https://fleet.example.com\n.evil.example/a', /no URL/],
  ['https://fleet..example.com:99999/', /no URL/],
  ['file:///etc/passwd', /no URL/],
  ['javascript://fleet.example.com/a', /no URL/],
  ['https://fleet.example.com@evil.example/a', /a user/],
  ['https://a:b@evil.example/a', /a user/],
  ['https://192.0.2.1/a', /IP address/],
  ['https://[2001:db8::1]/a', /IP address/],
  ['https://2130706433/a', /IP address/],
  ['https://0x7f.1/a', /IP address/],
  [`https://fleet.example.com/${'a'.repeat(1_000)}`, /longer than/],
  ['http://fleet.example.com/a', /http:/],
])('nobody vouches for %s', (name, because) => {
  expect(originOf(name, false)).toEqual({ origin: null, because: expect.stringMatching(because) });
});

test('plain http is an origin where that is allowed, and another one than https', () => {
  expect(originOf('http://fleet.example.com/a', true)).toEqual({
    origin: 'http://fleet.example.com',
    domain: 'fleet.example.com',
  });
});
