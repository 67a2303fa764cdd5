/** What a declaration says, read off its syntax: its text as it was written, its comment, its members, the types that it names. */
import {
  isCallSignatureDeclaration,
  isClassDeclaration,
  isConditionalTypeNode,
  isConstructorDeclaration,
  isExpressionWithTypeArguments,
  isFunctionDeclaration,
  isFunctionTypeNode,
  isGetAccessorDeclaration,
  isIdentifier,
  isIndexSignatureDeclaration,
  isInterfaceDeclaration,
  isIntersectionTypeNode,
  isMethodDeclaration,
  isMethodSignatureDeclaration,
  isParenthesizedTypeNode,
  isPropertyDeclaration,
  isPropertySignatureDeclaration,
  isQualifiedName,
  isTypeAliasDeclaration,
  isTypeLiteralNode,
  isTypeQueryNode,
  isTypeReferenceNode,
  isUnionTypeNode,
  isVariableDeclaration,
  ModifierFlags,
  type ClassDeclaration,
  type Identifier,
  type Node,
  type TypeNode,
} from "typescript/unstable/ast";

export interface Member {
  /** `presence.update` for what is inside of an object; empty for the call of an interface, `new` for a constructor. */
  readonly name: string;
  readonly isOptional: boolean;
  /** The type of a property; the whole signature of what is called, with all of its overloads. */
  readonly text: string;
  readonly isCalled: boolean;
  readonly comment: string;
}

/** The markdown of a declaration's doc comment, with its `{@link …}`; empty where there is none. */
export function commentOf(node: Node): string {
  const isVariable = isVariableDeclaration(node);
  const comment = (isVariable ? node.parent.parent : node).jsDoc?.at(-1)?.getText() ?? "";
  return comment
    .replace(/^[^]*\/\*\*\s*/, "")
    .replace(/\s*\*\/$/, "")
    .replaceAll(/^[ \t]*\* ?/gm, "")
    .trim();
}

/** A declaration without its body, its members and their comments. */
export function signatureOf(node: Node): string {
  if (isInterfaceDeclaration(node) && isIndexed(node)) return codeOf(node);
  if (isInterfaceDeclaration(node) || isClassDeclaration(node)) {
    const header = node.getText().slice(0, node.members.pos - node.getStart() - 1);
    return exported(header.trim());
  }
  if (isVariableDeclaration(node)) {
    const type = node.type === undefined ? ` = ${node.initializer?.getText()}` : `: ${node.type.getText()}`;
    return `const ${node.name.getText()}${type}`;
  }
  return codeOf(node);
}

/** The name of a type, without what it stands for. */
export function headOf(node: Node): string {
  if (!isTypeAliasDeclaration(node)) return signatureOf(node);
  return `${exported(node.getText().slice(0, node.type.pos - node.getStart()))} …`;
}

/** The members that an app may use, in the order of their declaration. */
export function membersOf(node: Node): Member[] {
  if (isInterfaceDeclaration(node)) return isIndexed(node) ? [] : memberListOf(node.members);
  if (isClassDeclaration(node)) return memberListOf(node.members.filter(isPublic));
  if (isTypeAliasDeclaration(node)) {
    const members = literalsOf(node.type).flatMap((literal) => [...literal.members]);
    return memberListOf(members.filter((member) => !isIndexSignatureDeclaration(member)));
  }
  return [];
}

/** The identifiers of all types that the public part of a declaration names. */
export function typeNamesIn(node: Node): Identifier[] {
  const found: Identifier[] = [];
  const visit = (child: Node): undefined => {
    if (isClassDeclaration(child.parent) && child.parent.members.some((member) => member === child)) {
      if (!isPublic(child)) return;
    }
    if (isTypeReferenceNode(child)) found.push(leftmost(child.typeName));
    if (isTypeQueryNode(child) || isExpressionWithTypeArguments(child)) {
      const name = isTypeQueryNode(child) ? child.exprName : child.expression;
      if (isIdentifier(name)) found.push(name);
    }
    if (bodyOf(node) !== child && bodyOf(child.parent) !== child) child.forEachChild(visit);
  };
  if (isVariableDeclaration(node)) node.type?.forEachChild(visit);
  else node.forEachChild(visit);
  return found;
}

function memberListOf(nodes: Iterable<Node>): Member[] {
  const members = new Map<string, Member>();
  for (const member of [...nodes].flatMap((node) => membersAt(node))) {
    const known = members.get(member.name);
    const isMarker = member.text === "undefined"; // says only that another branch has it
    if (known === undefined) {
      if (!isMarker || member.comment !== "") members.set(member.name, member);
    } else if (known.isCalled) {
      const text = `${known.text}\n${member.text}`;
      members.set(member.name, {
        ...known,
        text,
        comment: [known.comment, member.comment].filter(Boolean).join("\n\n"),
      });
    } else {
      const text = isMarker || member.text === known.text ? known.text : `${known.text} | ${member.text}`;
      const isOptional = known.isOptional && (isMarker || member.isOptional);
      members.set(member.name, { ...known, text, isOptional, comment: known.comment || member.comment });
    }
  }
  return [...members.values()];
}

function membersAt(node: Node): Member[] {
  const comment = commentOf(node);
  if (isCallSignatureDeclaration(node))
    return [{ name: "", isOptional: false, text: codeOf(node), isCalled: true, comment }];
  if (isConstructorDeclaration(node)) {
    if (comment === "") return []; // made by the package alone
    const text = codeOf(node).replace(
      /^constructor/,
      `new ${(node.parent as ClassDeclaration).name?.getText()}`,
    );
    return [{ name: "new", isOptional: false, text, isCalled: true, comment }];
  }
  if (isIndexSignatureDeclaration(node)) {
    const name = node
      .getText()
      .replace(/^readonly /, "")
      .replace(/\]:[^]*$/, "]");
    return [{ name, isOptional: false, text: typeText(node.type), isCalled: false, comment }];
  }
  if (isMethodSignatureDeclaration(node) || isMethodDeclaration(node)) {
    const siblings = isMethodDeclaration(node) && isClassDeclaration(node.parent) ? node.parent.members : [];
    const isImplementation =
      bodyOf(node) !== undefined &&
      siblings.some(
        (other) =>
          other !== node && isMethodDeclaration(other) && other.name.getText() === node.name.getText(),
      );
    if (isImplementation) return [];
    const isOptional = node.postfixToken?.getText() === "?";
    return [{ name: node.name.getText(), isOptional, text: codeOf(node), isCalled: true, comment }];
  }
  if (isGetAccessorDeclaration(node))
    return [
      { name: node.name.getText(), isOptional: false, text: typeText(node.type), isCalled: false, comment },
    ];
  if (!isPropertySignatureDeclaration(node) && !isPropertyDeclaration(node)) return [];
  const name = node.name.getText();
  const isOptional = node.postfixToken?.getText() === "?";
  // An option that is a function reads like the others, as long as it is short.
  const isShort = isOptional && node.type !== undefined && !/\n|.{90}/.test(codeOf(node.type));
  const literal = node.type !== undefined && isTypeLiteralNode(node.type) ? node.type : undefined;
  const isCalled =
    (node.type !== undefined && isFunctionTypeNode(node.type) && !isShort) ||
    (literal?.members.some(isCallSignatureDeclaration) ?? false);
  const inner = isCalled || literal === undefined ? [] : memberListOf(literal.members);
  const text =
    inner.length > 0 ? `{ ${inner.map((member) => member.name).join(", ")} }` : typeText(node.type);
  const nested = inner.map((member) => ({ ...member, name: `${name}.${member.name}` }));
  return [{ name, isOptional, text: isCalled ? codeOf(node) : text, isCalled, comment }, ...nested];
}

/** The object types that a type alias puts together. */
function literalsOf(type: TypeNode): (TypeNode & { readonly members: readonly Node[] })[] {
  if (isTypeLiteralNode(type)) return [type];
  if (isParenthesizedTypeNode(type)) return literalsOf(type.type);
  if (isIntersectionTypeNode(type) || isUnionTypeNode(type)) return type.types.flatMap(literalsOf);
  if (isConditionalTypeNode(type)) return [type.trueType, type.falseType].flatMap(literalsOf);
  return [];
}

/** Whether an interface has nothing but members of any name. */
function isIndexed(node: Node): boolean {
  return isInterfaceDeclaration(node) && node.members.every(isIndexSignatureDeclaration);
}

/** What a base class or the platform asks for is documented there. */
function isPublic(node: Node): boolean {
  const hidden = ModifierFlags.Private | ModifierFlags.Protected | ModifierFlags.Override;
  const { modifierFlags = 0, name } = node as Node & { modifierFlags?: ModifierFlags; name?: Node };
  return (modifierFlags & hidden) === 0 && !(name?.getText().startsWith("#") ?? false);
}

function bodyOf(node: Node): Node | undefined {
  if (isFunctionDeclaration(node) || isMethodDeclaration(node) || isConstructorDeclaration(node))
    return node.body;
  return isGetAccessorDeclaration(node) ? node.body : undefined;
}

/** The text of a declaration without its body and the comments inside of it. */
function codeOf(node: Node): string {
  const body = bodyOf(node);
  const text =
    body === undefined ? node.getText() : node.getText().slice(0, body.getStart() - node.getStart());
  const [indent = ""] =
    /[ \t]*(?=\S.*$)/.exec(
      node
        .getSourceFile()
        .text.slice(0, node.getStart() + 1)
        .split("\n")
        .at(-1) ?? "",
    ) ?? [];
  return exported(
    withoutComments(text)
      .replaceAll(`\n${indent}`, "\n")
      // Everything is; it is said once.
      .replaceAll(/(^\s*|[{;] )readonly (?=[\w$]+\??:|\[.*\]\??:)/gm, "$1")
      // As it is where nothing is made of it.
      .replaceAll(/\b_(\w+)(?=\??:)/g, "$1")
      // A tuple of one optional is how an optional parameter of a generic type is said.
      .replaceAll(/\.\.\.\[(\w+)\]: \[\1\?: (.+)\]/g, "$1?: $2")
      .trim()
      .replace(/;$/, ""),
  );
}

function typeText(type: TypeNode | undefined): string {
  return type === undefined ? "" : codeOf(type);
}

function withoutComments(text: string): string {
  return text.replaceAll(/[ \t]*\/\*\*[^]*?\*\/[ \t]*\n?/g, "").replaceAll(/[ \t]*\/\/ .*$/gm, "");
}

function exported(text: string): string {
  return text.replace(/^export /, "").replace(/^async /, "");
}

function leftmost(name: Node): Identifier {
  return isQualifiedName(name) ? leftmost(name.left) : (name as Identifier);
}
