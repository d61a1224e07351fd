// Points by WebGL 2: one draw call, positions and colors in buffers that are written once.

const VERTEX = `#version 300 es
in float x; in float y; in float toX; in float toY; in vec4 color; in float picked;
uniform vec2 center; uniform vec2 scale; uniform float size; uniform float way; uniform bool some;
out vec4 shade;
void main() {
  vec2 at = mix(vec2(x, y), vec2(toX, toY), way);
  gl_Position = vec4((at - center) * scale, picked > 0.0 ? -0.5 : 0.0, 1.0);
  gl_PointSize = picked > 0.0 ? size * 1.5 : size;
  shade = vec4(color.rgb, some && picked == 0.0 ? 0.18 : color.a);
}`;
const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 shade; out vec4 made;
void main() {
  float far = length(gl_PointCoord - 0.5);
  if (far > 0.5) discard;
  made = vec4(shade.rgb * shade.a, shade.a);
}`;
const MOST_MOVING = 80_000; // points in a frame while something moves
const STEPS = [1, 2, 3, 5, 7, 11, 13, 17, 23, 31, 43, 61]; // at most 255 bytes apart, as WebGL has it
const COLUMNS = /** @type {const} */ (["x", "y", "toX", "toY"]);

/** @typedef {{x: number, y: number, zoom: number}} Camera */

/** Draws the points of one canvas. */
export class Renderer {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    const gl = canvas.getContext("webgl2", { antialias: true, premultipliedAlpha: true });
    if (!gl) throw new Error("This browser has no WebGL 2; the lists below work without it.");
    this.gl = gl;
    this.program = link(gl);
    this.count = 0;
    /** @type {Record<string, {buffer: WebGLBuffer, width: number, isByte: boolean}>} */
    this.buffers = {};
    this.stride = 1;
    gl.useProgram(this.program);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  /**
   * Write one attribute of all points.
   * @param {string} name
   * @param {Float32Array | Uint8Array} values
   */
  write(name, values) {
    const { gl } = this;
    const place = gl.getAttribLocation(this.program, name);
    const isByte = values instanceof Uint8Array;
    this.buffers[name] ??= { buffer: gl.createBuffer(), width: name === "color" ? 4 : 1, isByte };
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name].buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(place);
    this.point(1);
  }

  /** The distance between the points that are drawn while something moves. */
  step() {
    return STEPS.find((step) => this.count / step <= MOST_MOVING) ?? STEPS[STEPS.length - 1];
  }

  /**
   * Have every attribute read at every n-th point.
   * @param {number} step
   */
  point(step) {
    const { gl } = this;
    this.stride = step;
    for (const [name, { buffer, width, isByte }] of Object.entries(this.buffers)) {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      const bytes = width * (isByte ? 1 : 4) * step;
      gl.vertexAttribPointer(gl.getAttribLocation(this.program, name), width, isByte ? gl.UNSIGNED_BYTE : gl.FLOAT, isByte, bytes, 0);
    }
  }

  /**
   * Write where the points are, and where they move to.
   * @param {import("./data.js").Plane} from
   * @param {import("./data.js").Plane} to
   */
  place(from, to) {
    const columns = [from.x, from.y, to.x, to.y];
    COLUMNS.forEach((name, i) => this.write(name, /** @type {Float32Array} */ (columns[i])));
    this.count = from.about.count;
  }

  /**
   * Draw once.
   * @param {Camera} camera
   * @param {number} way from 0, the one plane, to 1, the other
   * @param {boolean} some whether only picked points stand out
   * @param {boolean} [moving] whether a part of many points is enough for now
   */
  draw(camera, way, some, moving = false) {
    const { gl, canvas } = this;
    const ratio = devicePixelRatio;
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const at = (/** @type {string} */ name) => gl.getUniformLocation(this.program, name);
    gl.uniform2f(at("center"), camera.x, camera.y);
    gl.uniform2f(at("scale"), (2 * camera.zoom) / canvas.clientWidth, (2 * camera.zoom) / canvas.clientHeight);
    gl.uniform1f(at("size"), ratio * Math.max(1.5, Math.min(9, 500 / Math.sqrt(this.count))));
    gl.uniform1f(at("way"), way);
    gl.uniform1i(at("some"), some ? 1 : 0);
    const step = moving ? this.step() : 1;
    if (step !== this.stride) this.point(step);
    gl.drawArrays(gl.POINTS, 0, Math.ceil(this.count / step));
  }
}

/** @param {WebGL2RenderingContext} gl */
function link(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of /** @type {[number, string][]} */ ([
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ])) {
    const shader = gl.createShader(kind);
    if (!shader) throw new Error("WebGL 2 is lost");
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "");
  return program;
}
