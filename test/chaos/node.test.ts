import { describeLosses } from "./losses.ts";

describeLosses("Node");
