import type { RequestHandler } from 'express';
import helmet from 'helmet';

const nothing = ["'none'"];

/**
 * Headers of every answer: it is kept by no cache, shown in no frame, taken for no other type, and loads nothing.
 * Strict-Transport-Security is for whoever ends TLS: the proxy before us.
 */
export function protectiveHeaders(): RequestHandler {
  const set = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: nothing,
        objectSrc: nothing,
        baseUri: nothing,
        formAction: nothing,
        frameAncestors: nothing,
      },
    },
    frameguard: { action: 'deny' },
    strictTransportSecurity: false,
  });
  return (request, response, next) => {
    response.setHeader('Cache-Control', 'no-store');
    set(request, response, next);
  };
}
