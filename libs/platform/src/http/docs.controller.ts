import { dirname, join } from 'node:path';
import { Controller, Get, NotFoundException, Param, Res } from '@nestjs/common';
import type { Response } from 'express';
import { Open } from './auth.guard';
import { openApiOf } from './openapi';
import { Routes } from './routes';

const page = `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Homeostat API</title>
  <link rel="icon" href="/docs/favicon-32x32.png">
  <link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
  <div id="api"></div>
  <script src="/docs/swagger-ui-bundle.js"></script>
  <script src="/docs/start.js"></script>
</body>
</html>
`;

const start = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#api', deepLinking: true, validatorUrl: null });\n`;

/** Nothing is loaded from anywhere else, so that the page works offline. Swagger UI styles its elements inline. */
const policy = [
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'",
  "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
].join('; ');

const assets = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];

/** The API's description, for programs and for people. */
@Open()
@Controller()
export class DocsController {
  private document: object | null = null;

  constructor(private readonly routes: Routes) {}

  @Get('/openapi.json')
  openApi(): object {
    this.document ??= openApiOf(this.routes.all(), '1');
    return this.document;
  }

  @Get('/docs')
  page(@Res() response: Response): void {
    response.setHeader('Content-Security-Policy', policy).type('html').end(page);
  }

  @Get('/docs/:file')
  file(@Param('file') file: string, @Res() response: Response): void {
    if (file === 'start.js') return void response.type('js').end(start);
    if (!assets.includes(file)) throw new NotFoundException();
    const root = dirname(require.resolve('swagger-ui-dist/package.json'));
    // The same for everybody, and large.
    response.setHeader('Cache-Control', 'public, max-age=3600').sendFile(join(root, file));
  }
}
